"""Verbs that maintain a clone and its stores: init, doctor, fsck, repair, gc, stats."""
