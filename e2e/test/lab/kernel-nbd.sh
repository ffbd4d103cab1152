# The kernel's own NBD client on the device of a pool, in a guest: sh kernel-nbd.sh WORD…
#
# The words are what runs `rmr`. Three storage nodes and a client are processes of the guest, the
# device is /dev/nbd0 with an ext4 on it, and one node is killed while files are written, each of
# them synced. Afterwards every file is read from the device and compared, the file system is
# checked, the daemons end in order, and both stores that lived hold the same bytes.
set -u
MIB=64
FILES=32
FILE_KIB=256
HERE=/run/pool
WORDS=$*
mkdir -p $HERE/files $HERE/mounted
. "$(dirname "$0")/pool.sh"
cd $HERE || exit 1

attach() {
  nbd-client 127.0.0.1 10809 /dev/nbd0 -name vault -block-size 4096 -connections 2 -timeout 60 \
    > nbd-client.log 2>&1
}

write_files() {
  for file in files/*; do
    dd if="$file" of="mounted/${file#files/}" bs=64k conv=fsync status=none || return 1
  done
}

# Their names are numbers of two digits.
head -c $((FILES * FILE_KIB))k /dev/urandom | split -d -a 2 -b ${FILE_KIB}k - files/
(cd files && sha256sum ./* > ../sums)
for number in 1 2 3; do
  storage_node $number
done
client
modprobe nbd || fail "there is no nbd"
within 60 attach || fail "there is no device: $(cat nbd-client.log)"
step "attached"
[ "$(blockdev --getsize64 /dev/nbd0)" = $((MIB * 1024 * 1024)) ] || fail "it has another size"
[ "$(cat /sys/block/nbd0/queue/write_cache)" = "write back" ] || fail "nothing is flushed"
mkfs.ext4 -q /dev/nbd0 || fail "there is no file system"
mount -t ext4 -o errors=remount-ro /dev/nbd0 mounted || fail "it cannot be mounted"
step "mounted"
write_files &
writer=$!
within 60 test -e mounted/0$((FILES / 4)) || fail "nothing is written"
kill -9 "$node_3"
[ ! -e mounted/$((FILES - 1)) ] || fail "all was written before the node died"
step "killed a node"
wait $writer || fail "a file is not written"
sync
grep -q '"member":3,.*"to":"failed","on":"link-lost"' client.log || fail "no member was lost"
step "written"
umount mounted || fail "it is still mounted"
echo 3 > /proc/sys/vm/drop_caches
mount -t ext4 -o errors=remount-ro /dev/nbd0 mounted || fail "it cannot be mounted again"
(cd mounted && sha256sum --quiet -c ../sums) || fail "a file is another"
step "read"
umount mounted || fail "it is still mounted afterwards"
fsck.ext4 -f -n /dev/nbd0 > fsck.log 2>&1 || fail "the file system is damaged"
nbd-client -d /dev/nbd0 > nbd-client.log 2>&1 || fail "it stays attached"
step "detached"
ended "the client" "$client_pid"
ended "a node" "$node_1"
ended "a node" "$node_2"
same_volumes 1 2 || fail "the stores differ"
step "the same on both"
