# A pool over RDMA on two guests, and a wire between them that is cut: sh rdma-wire.sh WORD…
#
# The words are what runs `rmr`. Guest 1 has two storage nodes, the client, and fio over NBD, which
# checks what it has written; guest 2 has the third node. Guest 1 says `wire: cut` while it writes,
# and `wire: mend` when all of it is written, to whoever has the wire in hands. The third node comes
# back and is brought up to date. Then the wire is cut while nothing is under way, and mended. At
# last each guest says the sum of the bytes of each of its stores, and all of them are the same.
set -u
WORDS=$*
MIB=32
WRITTEN_MIB=8
HERE=/run/pool
ADDRESS_1=rdma://10.70.0.1:4711
ADDRESS_2=rdma://10.70.0.1:4712
ADDRESS_3=rdma://10.70.0.2:4713
# Where guest 2 hears that all is done.
DONE_PORT=4799
mkdir -p $HERE
. "$(dirname "$0")/pool.sh"
cd $HERE || exit 1

say_sums() {
  for number in "$@"; do
    sum=$(volume_sum "$number") || fail "store $number cannot be read"
    echo "volume ${sum%% *}"
  done
}

if [ "$GUEST" = 2 ]; then
  storage_node 3
  timeout 300 busybox nc -l -p $DONE_PORT > /dev/null < /dev/null ||
    fail "guest 1 says nothing"
  ended "the node" "$node_3"
  say_sums 3
  exit
fi

# lost TIMES: why, at last.
lost() {
  grep '"member":3,.*"to":"failed","on":"link-lost"' client.log > losses.said
  [ "$(wc -l < losses.said)" = "$1" ] && tail -n 1 losses.said | sed 's/.*"detail":"//' > lost.said
}

all_done() {
  busybox nc 10.70.0.2 $DONE_PORT < /dev/null
}

for number in 1 2; do storage_node $number; done
client
within 60 nbdinfo --size nbd://127.0.0.1:10809/vault > size.said 2>&1 || fail "there is no device"
within 60 back 3 || fail "there is no third node"
step "there is a device"
load before write || fail "what was written before is another"
step "written"
load during randwrite &
writer=$!
sleep 1
echo "wire: cut"
within 60 lost 1 || fail "no member was lost"
step "lost a node: $(cut -d '"' -f 1 lost.said)"
wait $writer || fail "what was written during the loss is another"
! back 3 || fail "it is back over a wire that is cut"
echo "wire: mend"
within 90 whole 3 || fail "the node is not whole again: $(cat status.said)"
step "whole again"
echo "wire: cut"
within 60 lost 2 || fail "no member was lost while nothing is under way"
step "lost a node: $(cut -d '"' -f 1 lost.said)"
grep -q 'the other side fell silent' lost.said || fail "nobody heard the silence"
echo "wire: mend"
within 90 whole 3 || fail "the node is not whole again: $(cat status.said)"
step "whole once more"
load after read || fail "what is read afterwards is another"
step "read"
ended "the client" "$client_pid"
within 30 all_done || fail "guest 2 does not hear"
for pid in $node_1 $node_2; do ended "a node" "$pid"; done
say_sums 1 2
