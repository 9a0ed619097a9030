#!/usr/bin/env bash
# Installs and starts SLURM from Debian's packages, as root: two nodes, "one" and "two", on this machine,
# each with a fake GPU.
#   start_slurm.sh [CPUS]
# Each node claims this many CPUs (default 2), whatever the machine has.
set -euo pipefail
# Another script may be installing at the same time.
apt_get() { flock /tmp/convstudy-apt.lock apt-get "$@" >/dev/null; }

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "SLURM needs root and Debian's packages here" >&2
    exit 77
fi
cpus=${1:-2}
host=$(hostname -s)
mark='# Made by tests/cluster/start_slurm.sh'

# Do nothing on a machine that already belongs to a cluster.
if [ -e /etc/slurm/slurm.conf ] && ! grep -q "^$mark" /etc/slurm/slurm.conf; then
    echo "this machine already has a SLURM: /etc/slurm/slurm.conf" >&2
    exit 77
fi

if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
    apt_get update -qq
    DEBIAN_FRONTEND=noninteractive apt_get install -y -qq --no-install-recommends \
        slurmctld slurmd slurm-client munge
fi

# For the scheduler, device files are GPUs: jobs get CUDA_VISIBLE_DEVICES, but no card.
for number in 0 1; do
    [ -e "/dev/fake-gpu$number" ] || mknod "/dev/fake-gpu$number" c 1 3
done

# Jobs find the cluster only through this folder, as the executor drops SLURM_CONF.
mkdir -p /etc/slurm /run/munge /var/log/slurm /var/spool/slurmctld
conf=$(mktemp)
cat >"$conf" <<CONF
$mark
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd-%n
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd-%n.log
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd-%n.pid
# Short intervals, for tests.
SchedulerParameters=sched_interval=2,sched_min_interval=500000,batch_sched_delay=0
MinJobAge=600
SlurmdTimeout=5
KillWait=10
OverTimeLimit=0
ReturnToService=2
# The machine may have less than the nodes claim.
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=$cpus RealMemory=64000 Gres=gpu:1 State=UNKNOWN
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=17001
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=17002
PartitionName=main Nodes=one,two Default=YES MaxTime=INFINITE State=UP
CONF
cat >/etc/slurm/gres.conf <<CONF
NodeName=one Name=gpu File=/dev/fake-gpu0
NodeName=two Name=gpu File=/dev/fake-gpu1
CONF

# An earlier version of this script may have started another SLURM.
if ! cmp -s "$conf" /etc/slurm/slurm.conf; then
    for file in /run/slurmctld.pid /run/slurmd*.pid; do
        [ ! -e "$file" ] || pkill -F "$file" slurm || true
    done
    while pgrep -x slurmctld >/dev/null || pgrep -x slurmd >/dev/null; do sleep 0.1; done
fi
install --mode=644 "$conf" /etc/slurm/slurm.conf
rm "$conf"
[ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none

chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge
chmod 400 /etc/munge/munge.key
pgrep -x munged >/dev/null || runuser -u munge -- munged
pgrep -x slurmctld >/dev/null || slurmctld -c
for node in one two; do
    pgrep -xf "slurmd -N $node" >/dev/null || slurmd -N "$node"
done

for _ in $(seq 60); do
    if [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ]; then
        sinfo --Node --long
        exit 0
    fi
    sleep 0.5
done
echo "SLURM did not start: see /var/log/slurm" >&2
tail -n 20 /var/log/slurm/*.log >&2
exit 1
