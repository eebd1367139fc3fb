"""The workflows: their form, and what their steps do."""
