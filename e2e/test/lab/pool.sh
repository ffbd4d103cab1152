# A pool of three storage nodes and a client that exports its device by NBD, as processes of a
# guest; sourced. HERE is a folder of its own, MIB the size of the pool, and ADDRESS_1 to ADDRESS_3
# say where the nodes listen. WRITTEN_MIB is what a load writes. WORDS run `rmr`; without spaces in
# them.
ADDRESS_1=${ADDRESS_1:-tcp://127.0.0.1:4711}
ADDRESS_2=${ADDRESS_2:-tcp://127.0.0.1:4712}
ADDRESS_3=${ADDRESS_3:-tcp://127.0.0.1:4713}

rmr() {
  $WORDS "$@"
}

# A program that starts takes a tenth of a second of an emulated guest: the fewer, the better.
step() {
  read -r seconds _ < /proc/uptime
  echo "$seconds $*"
}

fail() {
  step "failed: $*"
  for log in *.log; do
    echo "--- $log"
    tail -n 20 "$log"
  done
  exit 1
}

# Whether the command succeeds within so many seconds.
within() {
  tries=$(($1 * 5))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.2
  done
}

# storage_node NUMBER: its process is $node_NUMBER.
storage_node() {
  eval "address=\$ADDRESS_$1"
  # Of several paths: it listens at each of their ends.
  listen=$(printf '%s' "$address" | sed 's#,#", "rdma://#g')
  printf '%s\n' "name = \"storage-$1\"" "control = \"$HERE/$1.control\"" \
    '[storage]' "listen = [\"$listen\"]" '[[storage.pool]]' \
    'name = "vault"' "member = $1" "store = \"$HERE/$1.store\"" "size = \"$MIB MiB\"" > "$1.toml"
  $WORDS daemon --config "$1.toml" >> "$1.log" 2>&1 &
  eval "node_$1=$!"
}

# client [MEMBERS]: its process is $client_pid; the export is called vault, at 127.0.0.1:10809.
# All three are its members, unless it is said which.
client() {
  members=${1:-"\"1@$ADDRESS_1\", \"2@$ADDRESS_2\", \"3@$ADDRESS_3\""}
  printf '%s\n' 'name = "client"' "control = \"$HERE/client.control\"" \
    '[client]' 'nbd = ["127.0.0.1:10809"]' '[[client.pool]]' \
    'name = "vault"' "members = [$members]" "create = \"$MIB MiB\"" > client.toml
  $WORDS daemon --config client.toml > client.log 2>&1 &
  client_pid=$!
}

# load NAME RW: fio over NBD, four at a time, of mixed sizes; it checks what it has written.
load() {
  fio --name="$1" --ioengine=nbd --uri=nbd://127.0.0.1:10809/vault --rw="$2" --iodepth=4 \
    --bsrange=4k-128k --size="${WRITTEN_MIB}m" --randrepeat=1 --randseed=7 --verify=crc32c \
    --verify_fatal=1 --verify_state_save=0 --eta=never > "fio-$1.log" 2>&1
}

# back NUMBER: the client uses the node again. One that is out of reach takes itself for whole.
back() {
  grep "\"event\":\"leg.state\",.*\"member\":$1," client.log | tail -n 1 > status.said
  grep -q '"to":"normal"' status.said
}

# whole NUMBER: the node is back, and says itself that it has everything.
whole() {
  back "$1" && rmr map check vault --socket client.control > status.said 2>&1 &&
    grep -q "^member $1: normal, clean" status.said
}

# ended NAME PID: it ends in order when it is asked to.
ended() {
  kill "$2" && wait "$2" || fail "$1 does not end in order: $?"
}

# Where the bytes of a store begin, in `start`.
volume_start() {
  start=$(rmr store inspect "$1.store" --json | sed 's/.*"dataStart": *\([0-9]*\).*/\1/;t;d')
  [ -n "$start" ]
}

# A sum of the bytes that a store holds, to compare with those of another guest.
volume_sum() {
  volume_start "$1" || return 1
  tail -c +$((start + 1)) "$1.store" | head -c $((MIB * 1024 * 1024)) | sha256sum
}

# same_volumes A B: both stores hold the same bytes.
same_volumes() {
  volume_start "$1" || return 1
  cmp -i "$start" -n $((MIB * 1024 * 1024)) "$1.store" "$2.store"
}
