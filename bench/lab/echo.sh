# The echoes of a guest, in turns: sh echo.sh ROUNDS SECONDS C-PROGRAM NODE OUR-PROGRAM
#
# C sends 4 KiB and is answered by nothing; then as many bytes as we do, for whom a message has a
# head of 48 bytes and a header: of 100 bytes with the payload, and of 64 in the answer.
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
MESSAGE=4244
ANSWER=112

# echo_of KIND DEPTH PROGRAM ADDRESS-WORDS ANSWER MESSAGE: the last two are bytes, and of C alone.
echo_of() {
  kind=$1
  depth=$2
  program=$3
  address=$4
  $program server $address $5 > server.said 2> server.log &
  server=$!
  tries=200
  until grep -q ready server.said 2> /dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { cat server.log; exit 1; }
    sleep 0.1
  done
  said=$($program client $address $6 "$depth" "$SECONDS_EACH" 2> client.log) || { cat client.log; exit 1; }
  wait $server || { cat server.log; exit 1; }
  echo "$kind $depth $said $(tail -n 1 server.said)"
}

round=1
while [ "$round" -le "$ROUNDS" ]; do
  for depth in 1 24; do
    port=$((port + 1))
    echo_of c $depth "$C" "10.71.1.1 $port" 0 4096
    echo_of c+heads $depth "$C" "10.71.1.1 $((port + 100))" $ANSWER $MESSAGE
    echo_of rdma $depth "$OURS" "rdma://10.71.1.1:$port" "" ""
    echo_of tcp $depth "$OURS" "tcp://10.71.1.1:$port" "" ""
  done
  round=$((round + 1))
done
