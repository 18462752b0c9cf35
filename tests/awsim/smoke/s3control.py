"""S3 Control as boto3 sees it: the account's id stands in front of the host's name."""

import socket

from smoke import main, refused

resolve = socket.getaddrinfo
ON = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


def resolve_here(host, *arguments, **more):
    """Names in front of a loopback address are this machine, which no resolver knows."""
    here = isinstance(host, str) and host.endswith(".127.0.0.1")
    return resolve("127.0.0.1" if here else host, *arguments, **more)


socket.getaddrinfo = resolve_here


def test_public_access_block(awsim):
    workload = awsim.account("workload")
    control = awsim.client("s3control", credentials=awsim.assume(workload))
    with refused("NoSuchPublicAccessBlockConfiguration"):
        control.get_public_access_block(AccountId=workload)
    control.put_public_access_block(AccountId=workload, PublicAccessBlockConfiguration=ON)
    told = control.get_public_access_block(AccountId=workload)["PublicAccessBlockConfiguration"]
    assert told == ON, told
    with refused("AccessDenied"):
        awsim.client("s3control").get_public_access_block(AccountId=workload)
    control.delete_public_access_block(AccountId=workload)
    with refused("NoSuchPublicAccessBlockConfiguration"):
        control.get_public_access_block(AccountId=workload)


main(globals())
