"""What a person sees in the terminal while a sweep runs."""
