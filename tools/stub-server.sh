# Have glibc give large blocks back to the system: otherwise it keeps those of large requests. But not each small one: up to
# 1 MiB is kept, or the system gives and takes the same memory with every allocation.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX-2}" MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_-131072}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_-1048576}"
# Node forgets which signals were ignored: that SIGHUP is, as by nohup, says the last digit of their mask.
unset PORT_SERVER_NOHUP
[ ! -r /proc/self/status ] || while read -r key mask; do
  case $key$mask in SigIgn:*[13579bdf]) export PORT_SERVER_NOHUP=1 ;; esac
done < /proc/self/status
