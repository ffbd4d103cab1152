# The echoes of a guest, in turns: sh echo.sh ROUNDS SECONDS C-PROGRAM NODE OUR-PROGRAM
#
# Each line says: KIND DEPTH MESSAGES SECONDS CPU-OF-CLIENT CPU-OF-SERVER.
set -u
ROUNDS=$1
SECONDS_EACH=$2
C=$3
shift 3
OURS=$*
HERE=/run/echo
mkdir -p $HERE
cd $HERE || exit 1
port=4800

# echo_of KIND DEPTH PROGRAM SERVER-WORDS: the client's words are the same, with depth and seconds.
echo_of() {
  kind=$1
  depth=$2
  shift 2
  program=$1
  shift
  $program server "$@" > server.said 2> server.log &
  server=$!
  tries=200
  until grep -q ready server.said 2> /dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { cat server.log; exit 1; }
    sleep 0.1
  done
  said=$($program client "$@" "$depth" "$SECONDS_EACH" 2> client.log) || { cat client.log; exit 1; }
  wait $server || { cat server.log; exit 1; }
  echo "$kind $depth $said $(tail -n 1 server.said)"
}

round=1
while [ "$round" -le "$ROUNDS" ]; do
  for depth in 1 24; do
    port=$((port + 1))
    echo_of c $depth "$C" 10.71.1.1 $port
    echo_of rdma $depth "$OURS" "rdma://10.71.1.1:$port"
    echo_of tcp $depth "$OURS" "tcp://10.71.1.1:$port"
  done
  round=$((round + 1))
done
