/**
 * What a person may try with the demo's device, as lines to paste into a shell.
 *
 * They work in whatever folder that shell is: everything they make is in the demo's own. nbdfuse
 * wants a file in a folder that exists, or it mounts itself over the folder above; it shows the
 * file a moment later. The loop device has sectors of 4 KiB, since ext4 writes its first superblock
 * by sectors and NBD here is served in blocks.
 */
import { join } from "node:path"

export function suggestions(folder: string, uris: readonly string[]): string {
  const uri = quoted(uris.find((each) => each.startsWith("nbd+unix:")) ?? uris[0] ?? "")
  return `
Try, in another terminal:
  nbdinfo ${uri}
  qemu-img bench -f raw -c 20000 -d 32 -w ${uri}

A file system on it, as root:
  disk=${quoted(join(folder, "disk"))}
  mkdir -p "$disk/nbd" "$disk/files"
  nbdfuse "$disk/nbd/image" ${uri} &
  while kill -0 $! && ! test -e "$disk/nbd/image"; do sleep 0.1; done
  loop=$(losetup --sector-size 4096 --find --show "$disk/nbd/image")
  mkfs.ext4 -q -F "$loop"
  mount "$loop" "$disk/files"

And away with it, before the demo ends:
  umount "$disk/files"
  losetup --detach "$loop"
  umount "$disk/nbd"
`
}

/** One word of a shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
