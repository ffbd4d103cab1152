# A pool over RDMA in a guest, and how it loses a node: sh rdma-pool.sh HOW WORD…
#
# The words are what runs `rmr`. Three storage nodes on a device each (soft-rdma.sh), a client, and
# fio over NBD, which checks what it has written. The third node is lost in the middle, comes back,
# and is brought up to date; then all stores hold the same bytes. HOW it is lost:
#
#   killed   its process ends without a word, and is started again
#   pulled   its device is taken away from under it, and added again
#   mixed    as killed, and the second node is behind TCP
#   path     it is reached by two paths, and the link of one of them goes down: nobody is lost
set -u
HOW=$1
shift
WORDS=$*
MIB=64
WRITTEN_MIB=12
HERE=/run/pool
ADDRESS_1=rdma://10.71.1.1:4710
ADDRESS_2=rdma://10.71.2.1:4710
ADDRESS_3=rdma://10.71.3.1:4710
if [ "$HOW" = mixed ]; then ADDRESS_2=tcp://127.0.0.1:4712; fi
if [ "$HOW" = path ]; then ADDRESS_3=$ADDRESS_3,10.71.4.1:4710; fi
mkdir -p $HERE
. "$(dirname "$0")/pool.sh"
cd $HERE || exit 1

# load NAME RW: four at a time, of mixed sizes.
load() {
  fio --name="$1" --ioengine=nbd --uri=nbd://127.0.0.1:10809/vault --rw="$2" --iodepth=4 \
    --bsrange=4k-128k --size=${WRITTEN_MIB}m --randrepeat=1 --randseed=7 --verify=crc32c \
    --verify_fatal=1 --verify_state_save=0 --eta=never > "fio-$1.log" 2>&1
}

# What it says of a path, so many times.
paths_said() {
  [ "$(grep -c "\"event\":\"path.$1\"" client.log)" -ge "$2" ]
}

# How often the third member was lost; at the start it may be, before its node is there.
losses() {
  grep -c '"member":3,.*"to":"failed"' client.log
}

# The third node serves the pool in its view, and has everything.
whole() {
  rmr status --socket 3.control > status.said 2>&1 || return 1
  grep -q 'member 3: normal, view .*, clean' status.said
}

for number in 1 2 3; do storage_node $number; done
client
within 60 nbdinfo --size nbd://127.0.0.1:10809/vault > size.said 2>&1 || fail "there is no device"
step "there is a device"
load before write || fail "what was written before is another"
step "written"
if [ "$HOW" = path ]; then within 20 paths_said up 1 || fail "there is one path"; fi
lost_before=$(losses)
load during randwrite &
writer=$!
sleep 2
case $HOW in
  killed | mixed) kill -9 "$node_3" ;;
  pulled) rdma link del rxe3 || fail "the device stays" ;;
  # As if the cable was drawn.
  path) ip link set peer3 down ;;
esac
wait $writer || fail "what was written during the loss is another"
if [ "$HOW" = path ]; then
  paths_said lost 1 || fail "no path was lost"
  [ "$(losses)" -eq "$lost_before" ] || fail "the member was lost"
  step "lost a path"
else
  [ "$(losses)" -gt "$lost_before" ] || fail "no member was lost"
  step "lost a node"
fi
case $HOW in
  killed | mixed) storage_node 3 ;;
  pulled) rdma link add rxe3 type rxe netdev card3 || fail "the device cannot be added" ;;
  path)
    ip link set peer3 up
    within 60 paths_said up 2 || fail "the path does not come back"
    ;;
esac
within 90 whole || fail "it is not whole again: $(cat status.said)"
step "whole again"
load after read || fail "what is read afterwards is another"
step "read"
ended "the client" "$client_pid"
for pid in $node_1 $node_2 $node_3; do ended "a node" "$pid"; done
same_volumes 1 2 || fail "the first two stores differ"
same_volumes 1 3 || fail "the third store differs"
step "the same on all three"
