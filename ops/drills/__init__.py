"""Drills: alerts provoked for real, seen to come and to go."""
