#!/bin/sh
# modelvc: Git's configuration calls this for notebooks and pointers: driver.sh NAME [ARGS]. `mvc install` copies it to
# .git/mvc/. Notebooks need Python alone: it runs the installed package, else the copied modules in lib/.
mvc_dir=${0%/*}
name=$1
shift
unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS GIT_EXTERNAL_DIFF GIT_DIFF_OPTS

# mvc_notebooks ARGS: run the notebook drivers. The status is 127 if no suitable Python is installed.
mvc_notebooks() {
  { read -r mvc_package <"$mvc_dir/package"; } 2>/dev/null
  { read -r mvc_python <"$mvc_dir/python"; } 2>/dev/null
  script=$mvc_package/modelvc/drivers/script.py
  case $script in /*) [ -r "$script" ] ;; *) false ;; esac || script=$mvc_dir/lib/modelvc/drivers/script.py
  case $mvc_python in /*) [ -x "$mvc_python" ] ;; *) false ;; esac || mvc_python=$(mvc_any_python) || return 127
  "$mvc_python" -I -S "$script" "$mvc_dir" "$@"
}

# Print the path of a Python 3.11 or later, which can read the configuration. Relative entries of PATH are ignored:
# through them the repository could bring a program of its own.
mvc_any_python() {
  for python in python3 python python3.14 python3.13 python3.12 python3.11; do
    python=$(command -v "$python") || continue
    case $python in /*) "$python" -I -S -c 'import tomllib' 2>/dev/null && echo "$python" && return ;; esac
  done
  return 1
}

# mvc_text_merge BASE OURS THEIRS SIZE ...: merge lines as Git does without a driver, and exit with its status.
mvc_text_merge() {
  git merge-file -q -L ours -L base -L theirs --marker-size="$4" "$2" "$1" "$3" || exit 1
  exit 0
}

case $name in
  merge | merge-pointer)
    if [ "$name" = merge ]; then
      mvc_notebooks merge "$@"
    else
      [ -r "$mvc_dir/hook.sh" ] && . "$mvc_dir/hook.sh" && mvc_hook merge-pointer "$@"
    fi
    case $? in
      0) exit 0 ;;
      3) exit 1 ;; # a conflict; any other status is a failure of Python
      *) mvc_text_merge "$@" ;;
    esac
    ;;
  difftool)
    . "$mvc_dir/hook.sh" && mvc_hook difftool "$@"
    ;;
  textconv | pointer)
    mvc_notebooks "$name" "$@" || cat -- "$1"
    ;;
  *)
    mvc_notebooks "$name" "$@"
    status=$?
    if [ $status -eq 127 ]; then
      echo "mvc: no Python 3.11 or later is here to look at notebooks: run 'mvc install' again," >&2
      echo "     or do without: git config --local --remove-section filter.mvc-notebook" >&2
    fi
    exit $status
    ;;
esac
