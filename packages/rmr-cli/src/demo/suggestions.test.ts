import { suggestions } from "./suggestions.js"

describe("what a person may try", () => {
  it("makes its folders before anything is mounted there, and waits for the file", () => {
    const uris = ["nbd://127.0.0.1:10809/vault", "nbd+unix:///vault?socket=/d/nbd.sock"]
    expect(suggestions("/d", uris)).toBe(`
Try, in another terminal:
  nbdinfo 'nbd+unix:///vault?socket=/d/nbd.sock'
  qemu-img bench -f raw -c 20000 -d 32 -w 'nbd+unix:///vault?socket=/d/nbd.sock'

A file system on it, as root:
  disk='/d/disk'
  mkdir -p "$disk/nbd" "$disk/files"
  nbdfuse "$disk/nbd/image" 'nbd+unix:///vault?socket=/d/nbd.sock' &
  while kill -0 $! && ! test -e "$disk/nbd/image"; do sleep 0.1; done
  loop=$(losetup --sector-size 4096 --find --show "$disk/nbd/image")
  mkfs.ext4 -q -F "$loop"
  mount "$loop" "$disk/files"

And away with it, before the demo ends:
  umount "$disk/files"
  losetup --detach "$loop"
  umount "$disk/nbd"
`)
  })

  it("is one word of a shell where a folder has a name that shells take apart", () => {
    expect(suggestions("/it's $HOME", [])).toContain("\n  disk='/it'\\''s $HOME/disk'\n")
  })
})
