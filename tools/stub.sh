#!/bin/sh
# Start @NAME@ on the Node that it was built with, or where that is gone on the first one on PATH.
# Commands of this script must not be functions that bash has from the environment. POSIX mode finds special built-ins
# before functions, and without the other functions in it this shell's own environment is read again for what is started.
POSIXLY_CORRECT=${POSIXLY_CORRECT-}
unset -f '[' cat command echo kill mktemp printf read readlink rm wait 2> /dev/null
unset file folder node target
file=$0
while [ -h "$file" ]; do
  target=$(readlink -- "$file"; echo .) target=${target%??}
  case $target in
    /*) file=$target ;;
    *) case $file in */*) file=${file%/*}/$target ;; *) file=$target ;; esac ;;
  esac
done
case $file in
  /*) folder=${file%/*} ;;
  */*) folder=./${file%/*} ;;
  *) folder=. ;;
esac
[ -r "$folder/@NAME@.cjs" ] || {
  echo "error: cannot read $folder/@NAME@.cjs: build or install @NAME@ again" >&2
  exit 1
}
@NODE@
[ -x "$node" ] || node=$(command -v node) || {
  echo "error: @NAME@ needs Node @NEEDED@ or newer, and there is no node on PATH" >&2
  exit 127
}
@RUN@
# What makes Node itself start otherwise is meant for other programs.
unset @HIDDEN@
exec "$node" @FLAGS@ "$folder/@NAME@.cjs" "$@"
