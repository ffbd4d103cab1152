# What others do in the kernel, in a guest: peer KIND MIB, sourced behind soft-rdma.sh.
#
# A device of two copies of so many MiB, each a ramdisk (brd) behind a server of that stack, all in
# the guest's one kernel. Exports PEER_DEVICE, and PEER_COPIES, the two ramdisks: what is written at
# some place of the device lies at the same place of both, since superblocks are at their ends.
#
#   md-nbd         RAID 1 (md) of two NBD devices, each served by an nbdkit over TCP
#   md-nvme-tcp    RAID 1 of two NVMe namespaces over TCP
#   md-nvme-rdma   the same over soft-RoCE, on rxe1 and rxe2
#   md-rnbd        RAID 1 of two RNBD devices over RTRS, on rxe1 and rxe2 (modules.ts)
#   drbd           DRBD 8.4 with protocol C: a resource and its peer, over TCP
#
# RAID 1 keeps its map of dirty regions on the copies, as DRBD does. Both copies are zeroes and said
# to be the same, so nothing is copied at first.
PEER_SAID=/run/peer.said

peer() {
  PEER_COPIES="/dev/ram0 /dev/ram1"
  peer_module brd rd_nr=2 "rd_size=$(($2 * 1024))" || return 1
  case $1 in
    md-nbd) peer_nbd && peer_md /dev/nbd0 /dev/nbd1 ;;
    md-nvme-*) peer_nvme "${1#md-nvme-}" && peer_md "$NVME1" "$NVME2" ;;
    md-rnbd) peer_rnbd && peer_md /dev/rnbd0 /dev/rnbd1 ;;
    drbd) peer_drbd ;;
    *) peer_failed "there is none of this name" ;;
  esac || return 1
  [ -b "$PEER_DEVICE" ] || peer_failed "there is no $PEER_DEVICE" || return 1
  export PEER_DEVICE PEER_COPIES
}

peer_failed() {
  echo "lab: peer: $*"
  return 1
}

# A module, with its parameters.
peer_module() {
  modprobe "$@" || peer_failed "this kernel has no module $1"
}

# A program, and the package that has it.
peer_program() {
  command -v "$1" > /dev/null || peer_failed "there is no $1: apt-get install $2"
}

# A command that is heard only where it fails.
peer_run() {
  "$@" > $PEER_SAID 2>&1 && return 0
  peer_failed "$*"
  cat $PEER_SAID
  return 1
}

# Whether the command succeeds within so many seconds.
peer_within() {
  tries=$(($1 * 10))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}

# One device of two.
peer_md() {
  peer_program mdadm mdadm && peer_module raid1 || return 1
  PEER_DEVICE=/dev/md0
  # Nobody else makes nodes of devices in a guest.
  MDADM_NO_UDEV=1 peer_run mdadm --create "$PEER_DEVICE" --run --level=1 --raid-devices=2 \
    --metadata=1.0 --bitmap=internal --assume-clean "$1" "$2"
}

peer_nbd() {
  peer_program nbdkit nbdkit && peer_program nbd-client nbd-client || return 1
  peer_module nbd || return 1
  for number in 0 1; do
    # It is in the background, and listens, when the command ends.
    peer_run nbdkit --ipaddr 127.0.0.1 --port "1080$number" file "/dev/ram$number" || return 1
    peer_run nbd-client 127.0.0.1 "1080$number" "/dev/nbd$number" -block-size 4096 || return 1
  done
}

# TRANSPORT is tcp or rdma. Sets NVME1 and NVME2.
peer_nvme() {
  for name in nvmet "nvmet-$1" "nvme-$1"; do peer_module "$name" || return 1; done
  if [ ! -d /sys/kernel/config/nvmet ]; then
    peer_run mount -t configfs configfs /sys/kernel/config || return 1
  fi
  for number in 1 2; do
    address=127.0.0.$number
    if [ "$1" = rdma ]; then address=10.71.$number.1; fi
    peer_nvme_serve "$1" "$address" "$number" || peer_failed "nvmet refuses $address" || return 1
    peer_nvme_dial "$1" "$address" "$number" || return 1
  done
  peer_nvme_find 1 && NVME1=$found && peer_nvme_find 2 && NVME2=$found
}

peer_nvme_serve() {
  subsystem=/sys/kernel/config/nvmet/subsystems/copy$3
  port=/sys/kernel/config/nvmet/ports/$3
  mkdir "$subsystem" "$subsystem/namespaces/1" "$port" &&
    echo 1 > "$subsystem/attr_allow_any_host" &&
    printf %s "/dev/ram$(($3 - 1))" > "$subsystem/namespaces/1/device_path" &&
    echo 1 > "$subsystem/namespaces/1/enable" &&
    echo "$1" > "$port/addr_trtype" &&
    echo ipv4 > "$port/addr_adrfam" &&
    echo "$2" > "$port/addr_traddr" &&
    echo 4420 > "$port/addr_trsvcid" &&
    ln -s "$subsystem" "$port/subsystems/"
}

peer_nvme_dial() {
  uuid=$(cat /proc/sys/kernel/random/uuid)
  host="hostnqn=nqn.2014-08.org.nvmexpress:uuid:$uuid,hostid=$uuid"
  target="transport=$1,traddr=$2,trsvcid=4420,nqn=copy$3"
  peer_run timeout 30 sh -c "echo '$target,$host' > /dev/nvme-fabrics" || return 1
  peer_within 10 peer_nvme_find "$3" || peer_failed "copy$3 is no disk after 10 s"
}

# The disk of this copy, in `found`. Disks that others are made of have no node.
peer_nvme_find() {
  for disk in /sys/block/nvme*; do
    found=/dev/${disk##*/}
    [ -b "$found" ] && [ "$(cat "$disk/device/subsysnqn")" = "copy$1" ] && return 0
  done
  return 1
}

peer_rnbd() {
  for name in rtrs-server rnbd-server rnbd-client; do peer_module "$name" || return 1; done
  map=/sys/class/rnbd-client/ctl/map_device
  for number in 1 2; do
    address=ip:10.71.$number.1
    what="sessname=copy$number path=$address@$address device_path=/dev/ram$((number - 1))"
    peer_run timeout 30 sh -c "echo '$what' > $map" || return 1
    peer_within 10 test -b "/dev/rnbd$((number - 1))" ||
      peer_failed "copy$number is no disk after 10 s" || return 1
  done
}

peer_drbd() {
  peer_program drbdsetup drbd-utils && peer_program drbdmeta drbd-utils || return 1
  # The kernel asks a program before it changes roles, and a guest has none that knows.
  peer_module drbd usermode_helper=/bin/true || return 1
  mkdir -p /run/lock /run/drbd /var/lib/drbd
  for minor in 0 1; do
    disk=/dev/ram$minor
    peer_run drbdmeta --force $minor v08 "$disk" internal create-md || return 1
    peer_run drbdsetup new-resource "side$minor" || return 1
    peer_run drbdsetup new-minor "side$minor" $minor 0 || return 1
    peer_run drbdsetup attach $minor "$disk" "$disk" internal || return 1
  done
  for minor in 0 1; do
    own=ipv4:127.0.0.1:778$minor
    other=ipv4:127.0.0.1:778$((1 - minor))
    peer_run drbdsetup connect "side$minor" $own $other --protocol=C || return 1
  done
  peer_within 20 grep -q '^ 0: cs:Connected' /proc/drbd ||
    peer_failed "the sides do not meet: $(cat /proc/drbd)" || return 1
  peer_run drbdsetup new-current-uuid --clear-bitmap 0 || return 1
  peer_within 20 grep -q '^ 0:.* ds:UpToDate/UpToDate' /proc/drbd ||
    peer_failed "the sides differ: $(cat /proc/drbd)" || return 1
  PEER_DEVICE=/dev/drbd0
  peer_run drbdsetup primary 0
}
