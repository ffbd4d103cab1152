# A pool over RDMA in a guest, and how it loses a node: sh rdma-pool.sh HOW WORD…
#
# The words are what runs `rmr`. Three storage nodes on a device each (soft-rdma.sh), a client, and
# fio over NBD, which checks what it has written. The third node is lost in the middle, comes back,
# and is brought up to date; then all stores hold the same bytes. HOW it is lost:
#
#   killed   its process ends without a word, and is started again
#   pulled   its device is taken away from under it, and added again
#   unlinked its device is on a card whose cable is pulled, and plugged in again
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

# What the client says of a path, so many times.
paths_said() {
  [ "$(grep -c "\"event\":\"path.$1\"" client.log)" -ge "$2" ]
}

# How often the third member was lost; at the start it may be, before its node is there.
losses() {
  grep -c '"member":3,.*"to":"failed"' client.log
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
  unlinked | path) ip link set peer3 down || fail "the cable stays in" ;;
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
if [ "$HOW" = unlinked ]; then
  grep '"member":3,.*"to":"failed"' client.log > lost.said
  grep -q 'the port of the device is down' lost.said || fail "its port is not what was lost"
fi
case $HOW in
  killed | mixed) storage_node 3 ;;
  pulled) rdma link add rxe3 type rxe netdev card3 || fail "the device cannot be added" ;;
  unlinked | path) ip link set peer3 up || fail "the cable stays out" ;;
esac
if [ "$HOW" = path ]; then within 60 paths_said up 2 || fail "the path stays away"; fi
within 90 whole 3 || fail "it is not whole again: $(cat status.said)"
step "whole again"
load after read || fail "what is read afterwards is another"
step "read"
ended "the client" "$client_pid"
for pid in $node_1 $node_2 $node_3; do ended "a node" "$pid"; done
same_volumes 1 2 || fail "the first two stores differ"
same_volumes 1 3 || fail "the third store differs"
step "the same on all three"
