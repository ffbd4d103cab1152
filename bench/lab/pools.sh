# A pool of two storage nodes over RDMA beside the peer of this guest, in turns:
# sh pools.sh PEER ROUNDS SECONDS WARM-SECONDS WORD…
#
# The words are what runs `rmr`. fio writes to the pool over NBD, and to the peer's device as it is;
# both keep two copies in memory, reached by rxe1 and rxe2. Each line says: TARGET RW DEPTH IOS
# MILLISECONDS BUSY, where the last are ticks of all processors, of a hundred in a second.
set -u
PEER=$1
ROUNDS=$2
SECONDS_EACH=$3
WARM=$4
shift 4
WORDS=$*
HERE=/run/pools
MIB=64
ADDRESS_1=rdma://10.71.1.1:4710
ADDRESS_2=rdma://10.71.2.1:4710
mkdir -p $HERE
. "$(dirname "$0")/../../e2e/test/lab/pool.sh"
cd $HERE || exit 1

# io TARGET RW DEPTH SECONDS: what fio says of it, in fio.said.
io() {
  case $1 in
    pool) where="--ioengine=nbd --uri=nbd://127.0.0.1:10809/vault" ;;
    *) where="--ioengine=libaio --direct=1 --filename=$PEER_DEVICE" ;;
  esac
  fio --name=io $where --rw="$2" --bs=4k --iodepth="$3" --size=32m --randrepeat=0 --time_based \
    --runtime="$4" --minimal --terse-version=3 --eta=never > fio.all 2>&1 || fail "$(cat fio.all)"
  grep '^3;' fio.all > fio.said || fail "$(cat fio.all)"
}

busy() {
  read -r _ user nice system _ _ irq softirq _ < /proc/stat
  ticks=$((user + nice + system + irq + softirq))
}

# measure TARGET RW DEPTH
measure() {
  busy
  before=$ticks
  io "$1" "$2" "$3" "$SECONDS_EACH"
  busy
  # KiB and milliseconds of reads, or of writes.
  case $2 in
    *read) first=6 ;;
    *) first=47 ;;
  esac
  kib=$(cut -d ';' -f $first fio.said)
  echo "$1 $2 $3 $((kib / 4)) $(cut -d ';' -f $((first + 3)) fio.said) $((ticks - before))"
}

for number in 1 2; do storage_node $number; done
client "\"1@$ADDRESS_1\", \"2@$ADDRESS_2\""
within 90 nbdinfo --size nbd://127.0.0.1:10809/vault > size.said 2>&1 || fail "there is no device"
for rw in randwrite randread; do io pool $rw 16 "$WARM"; done
round=1
while [ "$round" -le "$ROUNDS" ]; do
  for job in "randwrite 1" "randwrite 16" "randread 1" "randread 16"; do
    for target in "$PEER" pool; do measure "$target" $job; done
  done
  round=$((round + 1))
done
