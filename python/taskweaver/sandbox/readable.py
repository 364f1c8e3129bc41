"""What every kernel may read beside its own files: the system, the devices, and Python with its packages."""

from __future__ import annotations

import os
import site
import sys

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store", "/sys")

_ETC = (
    "alternatives bash.bashrc ca-certificates ca-certificates.conf crypto-policies debian_version fonts gai.conf group host.conf hosts "
    "inputrc java ld.so.cache ld.so.conf ld.so.conf.d locale.alias locale.conf localtime magic mailcap matplotlibrc mime.types "
    "networks nsswitch.conf nvidia OpenCL os-release passwd pki/ca-trust pki/tls/cert.pem pki/tls/certs pki/tls/openssl.cnf profile "
    "protocols python3 R redhat-release resolv.conf services ssl/certs ssl/openssl.cnf terminfo texmf timezone vulkan"
)
ETC = tuple(f"/etc/{name}" for name in _ETC.split())

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

STATIC_PROC = tuple(
    f"/proc/{name}" for name in "cpuinfo devices filesystems loadavg meminfo stat swaps uptime version vmstat sys/kernel sys/vm".split()
)
"""What of `/proc` tells of the machine and of no process."""

OWN_PROC = ("cmdline", "comm", "io", "limits", "maps", "smaps_rollup", "stat", "statm", "status")
"""What of `/proc/self` tells of a process by itself; the rest leads on, to what the network has, say."""

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def python_paths() -> list[str]:
    """Where this interpreter and all that it can import lie, whatever leads there by symlinks included."""
    paths = [sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *sys.path]
    if site.ENABLE_USER_SITE:
        paths.append(site.getusersitepackages())
    paths += [os.environ[name] for name in _CERTIFICATES if os.environ.get(name)]
    return [os.path.abspath(path) for path in paths if path and os.path.exists(path)]


def program_paths(program: str) -> list[str]:
    """Where a program lies, and, where that is a folder `bin` other than one of the user's own, what lies beside that."""
    home = os.path.realpath(os.path.expanduser("~"))
    paths = [program]
    for path in (os.path.abspath(program), os.path.realpath(program)):
        folder = os.path.dirname(path)
        beside = os.path.dirname(folder)
        is_all_of_the_users = os.path.realpath(beside) in (home, os.path.join(home, ".local")) or home.startswith(f"{os.path.realpath(beside)}/")
        paths.append(beside if os.path.basename(folder) == "bin" and not is_all_of_the_users else path)
    return [path for path in paths if os.path.isabs(path) and path != "/" and os.path.exists(path)]


def graphics_devices_of(folder: str) -> list[str]:
    """The devices of GPUs, by name."""
    return [name for name in os.listdir(folder) if name.startswith("nvidia") or name in ("dri", "kfd")]
