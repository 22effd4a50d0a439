"""A private Exim that hands one message on: the unpacked package, laid over
this system in a namespace of its own."""
import os
import shutil
import subprocess

from .basics import PATIENCE, is_root

TREE = os.path.join(os.environ.get("MTAD_PEERS", "/opt/peers"), "exim4")
CONFIG = """primary_hostname = exim.example
spool_directory = {folder}/spool
log_file_path = {folder}/spool/log-%s
qualify_domain = sender.example
trusted_users = root
tls_advertise_hosts =
disable_ipv6 = true
keep_environment =
begin routers
out:
  driver = manualroute
  route_list = * {host} byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  allow_localhost
{tls}
"""
TLS = """  hosts_require_tls = *
  tls_verify_certificates = {ca}
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *"""
RUN = """set -e
mount --make-rprivate /
mkdir -p {folder}/over && mount -t tmpfs tmpfs {folder}/over
mkdir {folder}/over/upper {folder}/over/work
mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/over/upper,\
workdir={folder}/over/work /etc
mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
echo 'Debian-exim:x:905:905::/:/bin/false' >>/etc/passwd
echo 'Debian-exim:x:905:' >>/etc/group
chown -R 905:905 {folder}
chown root {folder} {folder}/conf
exec "$@"
"""


def is_there():
    return is_root() and shutil.which("unshare") is not None and \
        os.path.exists(f"{TREE}/usr/sbin/exim4")


def send(parent, host, ca, sender, to, content):
    """By one delivery in the foreground; the finished process, which ends
    with 0 although it failed when the message only waits."""
    folder = os.path.join(parent, "exim")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{folder}/spool")
    os.chmod(parent, 0o755)
    with open(f"{folder}/conf", "w", encoding="ascii") as f:
        f.write(CONFIG.format(folder=folder, host=host, tls=TLS.format(ca=ca)
                              if ca else "  hosts_avoid_tls = *"))
    os.chmod(f"{folder}/conf", 0o644)
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", RUN.format(
            folder=folder, tree=TREE), "sh", "/usr/sbin/exim4", "-C", f"{folder}/conf", "-odf", "-oi",
         "-f", sender, to], input=content, capture_output=True, check=False,
        timeout=PATIENCE)
