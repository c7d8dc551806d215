"""Install what builds an image without a daemon, where it is missing: `python -m tests.container.install`."""

from tests.debian_packages import install

NEEDED = ("buildah", "debootstrap")

if __name__ == "__main__":
    install("test-container", NEEDED, NEEDED, "a root filesystem is unpacked and entered as root")
