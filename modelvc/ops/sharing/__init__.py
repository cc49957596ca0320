"""Verbs that use remotes: push, fetch, pull, get, the check before `git push`, changes of remotes."""
