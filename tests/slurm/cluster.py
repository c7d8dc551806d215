"""A Slurm cluster of one node on this machine: own folder, own ports, own key, no systemd, no accounting.

The node is declared, not measured: it has four processors and one GPU whatever the machine has. Of what a job asks for,
time and memory are enforced, memory without cgroups: every two seconds what the processes of a job hold is added up.
Daemons run in the foreground as children of this process, so that just what was started here is stopped.
"""

import secrets
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

SYSTEM_CONFIGURATION = Path("/etc/slurm/slurm.conf")
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
PATIENCE = 60
NODE = socket.gethostname().partition(".")[0]
LOST_AFTER = 10
"""Seconds of silence after which the controller gives a node up; five minutes are more usual."""

CONFIGURATION = """
ClusterName=smec
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={lost_after}
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdTimeout={lost_after}
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
MinJobAge=3600
ReturnToService=2
KillWait=5
GresTypes=gpu
DefMemPerCPU=1000
NodeName={node} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:1
PartitionName=cpu Nodes={node} Default=YES MaxTime=INFINITE MaxCPUsPerNode=2
PartitionName=gpu Nodes={node} MaxTime=INFINITE MaxCPUsPerNode=2
PartitionName=spare Nodes={node} MaxTime=INFINITE MaxCPUsPerNode=2
"""


class Cluster:
    """Started by `with`; every process and the link under /etc are gone afterwards."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen] = {}

    def __enter__(self):
        if SYSTEM_CONFIGURATION.exists() or SYSTEM_CONFIGURATION.is_symlink():
            raise RuntimeError(
                f"{SYSTEM_CONFIGURATION} exists: this machine has a Slurm of its own, which is left alone, "
                "or a test was killed and left the link, which then is yours to remove"
            )
        self._write_configuration()
        try:
            # Steps of jobs read no environment variable that names the file, only this place.
            SYSTEM_CONFIGURATION.parent.mkdir(exist_ok=True)
            SYSTEM_CONFIGURATION.symlink_to(self.folder / "slurm.conf")
            self.start_authentication()
            self.start_controller()
            self.start_node()
            self.wait_until("idle")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start_authentication(self):
        """Start munged and wait for its socket."""
        files = {"key-file": "munge.key", "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "munge.seed"}
        named = [f"--{option}={self.folder / name}" for option, name in files.items()]
        self._start("munged", "--foreground", "--force", f"--socket={self.folder / 'munge.socket'}", *named)
        self._wait((self.folder / "munge.socket").exists, "munged has no socket")

    def start_controller(self):
        self._start("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        self._wait(lambda: self._answers("scontrol", "ping"), "slurmctld does not answer")

    def start_node(self):
        self._start("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))

    def wait_until(self, state):
        """Wait until the node is in that state, such as idle, or down* when the controller has given it up."""
        self._wait(lambda: self.state_of_the_node() == state, f"the node is not {state}")

    def stop_controller(self):
        """As who restarts it: it writes down what it knows, and does not answer any more."""
        self._stop("slurmctld")

    def kill_node(self):
        """As if the power went: the daemon dies with every process of every job."""
        self._kill("slurmd")
        self._kill_jobs()

    def state_of_the_node(self):
        """Return the state as `sinfo` tells it."""
        return self.ask("sinfo", "--noheader", "--nodes", NODE, "--partition=cpu", "--format=%T")

    def jobs(self):
        """Return what the controller knows of every job, by the number of the job, in the order of submission."""
        told = self.ask("scontrol", "show", "job", "--oneliner")
        rows = [dict(pair.partition("=")[::2] for pair in line.split() if "=" in pair) for line in told.splitlines()]
        known = [row for row in rows if "JobId" in row]
        return {row["JobId"]: row for row in sorted(known, key=lambda row: int(row["JobId"]))}

    def works_on(self, job):
        """Whether the step of a job has begun: before that, a job is on its way and not at work."""
        return f"{job}.0" in self.ask("squeue", "--steps", "--noheader", "--format=%i").split()

    def cancel(self, job):
        self.ask("scancel", job)

    def ask(self, *command):
        told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert told.returncode == 0, f"{' '.join(command)}: {told.stderr}"
        return told.stdout.strip()

    def stop(self):
        """Stop all that was started, the last first."""
        for name in reversed(list(self._daemons)):
            self._stop(name)
        self._kill_jobs()
        if SYSTEM_CONFIGURATION.is_symlink() and SYSTEM_CONFIGURATION.readlink() == self.folder / "slurm.conf":
            SYSTEM_CONFIGURATION.unlink()

    def logs(self):
        """Return what the daemons wrote, for the message of a test that fails."""
        return "\n".join(f"== {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("slurm*.log")))

    def _write_configuration(self):
        self.folder.chmod(0o755)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        controller_port, node_port = _free_ports(2)
        values = {"node": NODE, "folder": self.folder, "lost_after": LOST_AFTER}
        ports = {"controller_port": controller_port, "node_port": node_port}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.lstrip().format(**values, **ports))
        (self.folder / "gres.conf").write_text(f"NodeName={NODE} Name=gpu File=/dev/null\n")

    def _start(self, program, *arguments):
        with (self.folder / f"{program}.out").open("a") as told:
            self._daemons[program] = subprocess.Popen(
                [shutil.which(program), *arguments], stdin=subprocess.DEVNULL, stdout=told, stderr=told
            )

    def _stop(self, program):
        daemon = self._daemons.pop(program)
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _kill(self, program):
        daemon = self._daemons.pop(program)
        daemon.kill()
        daemon.wait()

    def _kill_jobs(self):
        """Kill the processes that watch over a step of a job, which are no children of the daemon, and the step."""
        killed = []
        for watching in self._watching():
            with suppress(psutil.NoSuchProcess):
                killed += [watching, *watching.children(recursive=True)]
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, timeout=PATIENCE)

    def left_over(self):
        """Return the processes of this cluster that are still there."""
        return [*self._daemons.values(), *self._watching()]

    def _watching(self):
        """Only those of this cluster: they are asked about the step through a socket in its folder."""
        for process in psutil.process_iter():
            try:
                if process.name() == "slurmstepd" and any(
                    str(self.folder) in connection.laddr for connection in process.net_connections("unix")
                ):
                    yield process
            except psutil.Error:  # it ended, or is not ours to look at
                continue

    def _answers(self, *command):
        return subprocess.run(command, capture_output=True, timeout=PATIENCE).returncode == 0

    def _wait(self, ready, complaint):
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{complaint} after {PATIENCE} seconds\n{self.logs()}")
            time.sleep(0.2)


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()
