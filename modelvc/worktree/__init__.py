"""The border with the files people work on."""
