"""Verbs that look after a clone and its stores: init, doctor, fsck, gc, stats."""
