# The hook shims of modelvc source this file; `mvc install` copies it to .git/mvc/.

# mvc_hook NAME [ARGS]: run modelvc's part of a hook. The status is 127 if no working modelvc is installed.
mvc_hook() {
  # Through a relative entry, the repository could bring modules of its own. -P keeps its top folder out of sys.path.
  case ":$PYTHONPATH:" in *:[!/]* | *::*) unset PYTHONPATH ;; esac
  mvc_try "$(cat "$mvc_dir/python" 2>/dev/null)" "$@" && return $mvc_status
  # Other programs are called mvc too, so --version decides. Through a relative PATH, the repository could bring one.
  mvc_program=$(command -v mvc 2>/dev/null)
  case $mvc_program in
    /*) case $("$mvc_program" --version 2>/dev/null) in
      "mvc "*)
        "$mvc_program" hook "$@"
        mvc_status=$?
        [ $mvc_status -eq 127 ] || return $mvc_status
        ;;
    esac ;;
  esac
  mvc_try "$(command -v python3 2>/dev/null)" "$@" && return $mvc_status
  mvc_try "$(command -v python 2>/dev/null)" "$@" && return $mvc_status
  return 127
}

# mvc_try PYTHON NAME [ARGS]: true if PYTHON has a modelvc and ran the hook; mvc_status is the hook's status.
mvc_try() {
  mvc_python=$1
  shift
  case $mvc_python in /*) ;; *) return 1 ;; esac
  [ -x "$mvc_python" ] || return 1
  "$mvc_python" -P -c 'import modelvc.drivers' >/dev/null 2>&1 || return 1
  "$mvc_python" -P -m modelvc hook "$@"
  mvc_status=$?
  [ $mvc_status -ne 127 ]
}
