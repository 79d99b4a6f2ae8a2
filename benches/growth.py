"""How an audit's time and memory grow with an account, one axis at a time.

    growth.py CLOSEGATE [DIRECTORY]

Makes logs and inventories of rising size, audits each three times with the program that is named, and prints the best time, the peak
memory, and the exponent of the time between one size and the next: 1 is linear. Needs GNU time.
"""

import json
import math
import random
import subprocess
import sys
from pathlib import Path

START = 1_760_000_000
DAYS = 14
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
)
PORTS = [443, 5432, 6379, 9092, 3306, 8080, 8443, 9200, 5672, 11211]
OPEN = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def group(number, ingress=()):
    return {
        "GroupId": f"sg-{number:05x}",
        "GroupName": f"group-{number}",
        "VpcId": "vpc-1",
        "OwnerId": "111122223333",
        "IpPermissions": list(ingress),
        "IpPermissionsEgress": OPEN,
    }


def interface(number, own):
    return {
        "NetworkInterfaceId": f"eni-{number:06x}",
        "InterfaceType": "interface",
        "VpcId": "vpc-1",
        "SubnetId": "subnet-1",
        "AvailabilityZone": "us-east-1a",
        "PrivateIpAddress": address(number),
        "Groups": [{"GroupId": f"sg-{own:05x}"}],
    }


def write(directory, groups, interfaces, rows):
    inventory = directory / "inventory"
    inventory.mkdir(parents=True)
    everything = {
        "SecurityGroups": groups,
        "NetworkInterfaces": interfaces,
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8"}],
        **{key: [] for key in ("VpcPeeringConnections", "SecurityGroupRules", "RouteTables", "PrefixLists", "VpcEndpoints")},
    }
    (inventory / "all.json").write_text(json.dumps(everything))
    with open(directory / "flows.log", "w") as log:
        log.write(HEADER)
        for at, source, target, ports in rows:
            time = START + random.randrange(DAYS * 86_400)
            for ends, (out, into) in (((source, target), ports), ((target, source), ports[::-1])):
                log.write(
                    f"2 111122223333 eni-{at:06x} {ends[0]} {ends[1]} {out} {into} 6 10 1000 {time} {time + 30} ACCEPT OK\n"
                )


def client_port():
    return random.randrange(32_768, 60_999)


def many_groups(count, directory):
    """Groups of five interfaces, each of which opens connections to three others; one rule in five admits a large network."""
    ingress = {number: [] for number in range(count)}
    ports = {}
    for source in range(count):
        for target in random.sample(range(count), 3):
            if source == target:
                continue
            port = random.choice(PORTS) if random.random() < 0.7 else random.randrange(1_024, 21_024)
            ports[source, target] = port
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
            if random.random() < 0.2:
                rule["IpRanges"] = [{"CidrIp": "10.0.0.0/8"}]
            else:
                rule["UserIdGroupPairs"] = [{"GroupId": f"sg-{source:05x}", "UserId": "111122223333"}]
            ingress[target].append(rule)
    pairs = list(ports.items())

    def rows():
        for _ in range(20 * count):
            (source, target), port = random.choice(pairs)
            source, target = (256 + 5 * end + random.randrange(5) for end in (source, target))
            both = (client_port(), port)
            for at in (source, target):
                yield at, address(source), address(target), both

    interfaces = [interface(256 + number, number // 5) for number in range(5 * count)]
    write(directory, [group(number, ingress[number]) for number in range(count)], interfaces, rows())


def many_destinations(count, directory, private=()):
    """Twenty groups of 2,000 interfaces in all, to so many addresses of the internet."""
    addresses = [
        f"{random.choice([18, 34, 52, 104])}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        for _ in range(count)
    ]

    def rows():
        for target in [*addresses, *private]:
            for _ in range(4):
                at = 256 + random.randrange(2_000)
                yield at, address(at), target, (client_port(), 443)

    interfaces = [interface(256 + number, number % 20) for number in range(2_000)]
    write(directory, [group(number) for number in range(20)], interfaces, rows())


def one_private(count, directory):
    many_destinations(count, directory, ["192.168.77.7"])


AXES = [
    ("groups", many_groups, [500, 1_000, 2_000, 4_000]),
    ("destinations", many_destinations, [5_000, 10_000, 20_000, 40_000]),
    ("destinations, one of them private", one_private, [5_000, 10_000, 20_000]),
]


def measure(closegate, directory):
    best = None
    for _ in range(3):
        audit = [closegate, "audit", "--flows", directory / "flows.log", "--inventory", directory / "inventory"]
        done = subprocess.run(
            ["/usr/bin/time", "-f", "%e %M", *audit, "--out", directory / "run"], capture_output=True, text=True, check=True
        )
        seconds, kib = done.stderr.split()[-2:]
        best = min(best or (math.inf, 0), (float(seconds), int(kib)))
    return best


def main(closegate, directory="target/growth"):
    directory = Path(directory)
    print(f"{'axis':<36}{'size':>8}{'seconds':>10}{'MB':>8}{'rules':>8}{'exponent':>10}")
    for name, make, sizes in AXES:
        before = None
        for size in sizes:
            random.seed(size)
            place = directory / make.__name__ / str(size)
            if not (place / "flows.log").exists():
                make(size, place)
            seconds, kib = measure(closegate, place)
            rules = len(json.loads((place / "run/audit.json").read_text())["rules"])
            exponent = ""
            if before:
                exponent = f"{math.log(seconds / before[1]) / math.log(size / before[0]):.2f}"
            before = size, seconds
            print(f"{name:<36}{size:>8}{seconds:>10.2f}{kib // 1024:>8}{rules:>8}{exponent:>10}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
