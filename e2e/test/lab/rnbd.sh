# A device of the kernel's RNBD server, for a client that is a program: rnbd.sh PROGRAM...
#
# The program gets HOST DEVICE IMAGE SECONDS. What it reads at first was written by the kernel, and
# what it leaves in IMAGE is compared with the device itself. Twice: the server gives each buffer a
# new key after each request, which is its default, and then not.
set -u
fail() {
  echo "rnbd: $*"
  dmesg | grep -i "rtrs\|rnbd" | tail -n 20
  exit 1
}
MIB=8
DISK=/dev/ram0
IMAGE=/run/image
modprobe brd rd_nr=1 rd_size=$((MIB * 1024)) || fail "no brd"
# A server that hears nothing for half a minute hangs up.
PAUSE=${PAUSE:-40}
for keys in Y N; do
  modprobe rtrs-server always_invalidate=$keys && modprobe rnbd-server || fail "no server"
  dd if=/dev/urandom of=$IMAGE bs=1M count=$MIB 2> /dev/null
  dd if=$IMAGE of=$DISK bs=1M oflag=direct 2> /dev/null || fail "the disk takes nothing"
  "$@" 10.71.1.1 $DISK $IMAGE $PAUSE || fail "the program failed: $?"
  dd if=$DISK of=/run/disk bs=1M iflag=direct 2> /dev/null
  cmp /run/disk $IMAGE || fail "the device has something else"
  echo "the device has what was written, with new keys: $keys"
  PAUSE=0
  # Sessions end in the server's own time.
  tries=50
  until rmmod rnbd-server rtrs-server; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "the server is in use"
    sleep 0.2
  done
done
