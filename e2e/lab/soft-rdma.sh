# Soft RDMA devices in a guest: soft_rdma COUNT [KIND], sourced.
#
# Each is on one end of a pair of virtual cards of its own, with an address: rxe1 on 10.71.1.1, rxe2
# on 10.71.2.1, and so on. KIND is rxe (RoCE; the default) or siw (iWARP), whose module Debian's
# kernel does not have (modules.ts). A process reaches any of them by its address.
soft_rdma() {
  kind=${2:-rxe}
  modprobe veth && rdma_modules "$kind" || return 1
  number=1
  while [ "$number" -le "$1" ]; do
    ip link add "card$number" type veth peer name "peer$number" || return 1
    ip link set "peer$number" up
    ip link set "card$number" up
    ip addr add "10.71.$number.1/24" dev "card$number"
    rdma link add "$kind$number" type "$kind" netdev "card$number" || return 1
    number=$((number + 1))
  done
}

# Of such a kind.
rdma_modules() {
  module=rdma_rxe
  if [ "$1" = siw ]; then module=siw; fi
  for name in ib_uverbs rdma_ucm $module; do
    modprobe "$name" || return 1
  done
}

# The card that is on the wire between guests (wire.ts), with an address: 10.70.0.GUEST.
wire_up() {
  modprobe virtio_net || return 1
  for card in /sys/class/net/e*; do
    [ -e "$card" ] || return 1
    name=${card##*/}
  done
  wire_card=$name
  ip addr add "10.70.0.$GUEST/24" dev "$name"
  ip link set "$name" up
}

# rdma_on_wire KIND: a device on that card, with the same address.
rdma_on_wire() {
  rdma_modules "$1" && rdma link add "$1_wire" type "$1" netdev "$wire_card"
}
