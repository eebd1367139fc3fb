"""What a command on a stack needs: Pulumi, the engine, what must hold, the update, and what must be mended first."""
