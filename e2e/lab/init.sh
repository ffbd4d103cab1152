#!/bin/busybox sh
# The first process of a guest: the host's root under a layer of memory, then the command.
#
# Loads what it needs to see the host (/modules, in order), mounts the host's root read-only by 9p
# with a layer of memory over it, so that the guest may write wherever it likes and the host never
# hears of it, and goes there. Words of the kernel's command line: modules=FOLDER has the kernel's
# own modules, in the host's root; layer=SIZE is how much may be written.
#
# /share is a folder of the host that both sides write. In it are the command (command.sh) and,
# afterwards, its exit code (code). What the command says goes to the first port.
B=/bin/busybox
give_up() {
  $B echo "lab: $1"
  $B poweroff -f
}
for name in proc sys dev host layer seen; do $B mkdir -p "/$name"; done
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
while read -r module; do $B insmod "/modules/$module" || give_up "no module $module"; done < /order
for word in $($B cat /proc/cmdline); do
  case $word in
    modules=*) MODULES=${word#modules=} ;;
    layer=*) LAYER=${word#layer=} ;;
  esac
done
NINE=trans=virtio,version=9p2000.L,msize=262144
$B mount -t 9p -o "ro,$NINE,cache=loose" host /host || give_up "the host's root cannot be mounted"
$B mount -t tmpfs -o "size=$LAYER" layer /layer
$B mkdir /layer/upper /layer/work
$B mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /seen ||
  give_up "no layer over the host's root"
$B mkdir -p /seen/share /seen/usr/lib/modules
$B mount -t 9p -o "$NINE,cache=none" share /seen/share || give_up "no folder to share"
# Where modprobe looks, and the kernel itself when it wants a module.
$B mount --bind "/host$MODULES" /seen/usr/lib/modules
for name in proc sys dev; do $B mount --move "/$name" "/seen/$name"; done
$B mkdir -p /seen/dev/shm /seen/dev/pts
$B mount -t tmpfs memory /seen/dev/shm
$B mount -t devpts terminals /seen/dev/pts
$B mount -t tmpfs memory /seen/run
exec $B switch_root /seen /bin/sh /share/first.sh
