# disk - a file system whose power can be cut
#
# A file contains an ext4, mounted through a loop device. cut () stops it at once, without
# writing its log: unsynced data is lost, as in a power cut of the machine.
# restore () mounts it again.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile

EXT4_IOC_SHUTDOWN = 0x8004587D          # _IOR ('X', 125, __u32)
NO_LOG_FLUSH = 2


class Unavailable(Exception):
    """Such a disk is not possible here; the text gives the reason."""


class Disk:
    def __init__(self, folder, size_mb=512):
        self.image = os.path.join(folder, "disk.img")
        self.path = os.path.join(folder, "disk")
        os.mkdir(self.path)
        if os.geteuid() != 0:
            raise Unavailable("a power cut needs a loop mount, and that root")
        for tool in ("mkfs.ext4", "mount", "umount"):
            if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                raise Unavailable("a power cut needs a loop mount, and that %s" % tool)
        with open(self.image, "wb") as file:
            file.truncate(size_mb << 20)
        self._run("mkfs.ext4", "-q", "-F", self.image)
        self.mounted = False
        self.restore()

    @staticmethod
    def _run(*command):
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                              universal_newlines=True)
        if done.returncode != 0:
            raise Unavailable("a power cut needs a loop mount: %s: %s" % (
                " ".join(command), done.stdout.strip()))

    def cut(self):
        """From now on no write reaches the disk, and every sync fails."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def restore(self):
        """Restore the power; no process may have a file open there."""
        if self.mounted:
            self._run("umount", self.path)
            self.mounted = False
        self._run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL)
            self.mounted = False


def reason_against():
    """The reason why power cuts are not possible here, or None."""
    folder = tempfile.mkdtemp(prefix="stele-")
    disk = None
    try:
        disk = Disk(folder, 16)
        disk.cut()
        disk.restore()
        return None
    except Unavailable as reason:
        return str(reason)
    except OSError as error:
        return "a power cut needs EXT4_IOC_SHUTDOWN: %s" % error
    finally:
        if disk:
            disk.close()
        shutil.rmtree(folder, ignore_errors=True)
