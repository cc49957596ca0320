# Sourced by the hook shims of modelvc; `mvc install` copies it to .git/mvc/.

# mvc_hook NAME [ARGS]: run modelvc's part of a hook; 127 when no interpreter at hand has modelvc.
mvc_hook() {
  # A relative entry would let the repository bring modules of its own; -P keeps its top folder out.
  case ":$PYTHONPATH:" in *:[!/]* | *::*) unset PYTHONPATH ;; esac
  for mvc_python in "$(cat "$mvc_dir/python" 2>/dev/null)" python3 python; do
    if [ -n "$mvc_python" ] && command -v "$mvc_python" >/dev/null 2>&1 &&
      "$mvc_python" -P -c 'import modelvc.drivers' >/dev/null 2>&1; then
      "$mvc_python" -P -m modelvc hook "$@"
      return
    fi
  done
  if command -v mvc >/dev/null 2>&1; then
    mvc hook "$@"
    return
  fi
  return 127
}
