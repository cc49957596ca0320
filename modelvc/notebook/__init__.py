"""Read, strip, show and merge notebooks. All but `rich`, which uses nbdime, needs the standard library alone."""
