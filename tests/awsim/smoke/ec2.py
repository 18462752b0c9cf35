"""EC2 as boto3 and the AWS CLI see it: an account's settings, and a default VPC taken apart."""

from smoke import main, refused


def test_settings(awsim):
    ec2 = awsim.client("ec2")
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert awsim.client("ec2", "eu-west-1").get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False

    assert ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"
    assert ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"] is False
    ec2.enable_serial_console_access()
    assert awsim.cli("ec2", "get-serial-console-access-status")["SerialConsoleAccessEnabled"] is True

    ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    assert awsim.cli("ec2", "get-snapshot-block-public-access-state")["State"] == "block-all-sharing"

    assert ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "block-new-sharing"
    ec2.disable_image_block_public_access()
    ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
    assert ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "unblocked"
    awsim.advance(600)
    assert ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "block-new-sharing"

    assert ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=2)["Return"] is True
    level = awsim.cli("ec2", "get-instance-metadata-defaults")["AccountLevel"]
    assert (level["HttpTokens"], level["HttpPutResponseHopLimit"]) == ("required", 2), level


def test_a_default_vpc_is_taken_apart(awsim):
    ec2 = awsim.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    assert vpc["CidrBlock"] == "172.31.0.0/16" and vpc["OwnerId"] == "111111111111", vpc
    inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    pages = ec2.get_paginator("describe_subnets").paginate(Filters=inside, PaginationConfig={"PageSize": 5})
    subnets = pages.build_full_result()["Subnets"]
    assert len(subnets) == 6 and all(subnet["DefaultForAz"] for subnet in subnets), subnets
    assert len(ec2.describe_security_groups(Filters=inside)["SecurityGroups"]) == 1
    assert ec2.describe_route_tables(Filters=inside)["RouteTables"][0]["Associations"][0]["Main"]
    assert ec2.describe_network_acls(Filters=inside)["NetworkAcls"][0]["IsDefault"]
    assert ec2.describe_network_interfaces(Filters=inside)["NetworkInterfaces"] == []
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
    gateway = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"][0]["InternetGatewayId"]

    with refused("DependencyViolation", "has dependencies and cannot be deleted"):
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    with refused("DryRunOperation"):
        ec2.delete_vpc(VpcId=vpc["VpcId"], DryRun=True)
    ec2.create_tags(Resources=[gateway], Tags=[{"Key": "team", "Value": "platform"}])
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
    found = ec2.describe_internet_gateways(Filters=[{"Name": "tag:team", "Values": ["platform"]}])["InternetGateways"]
    assert [(one["InternetGatewayId"], one["Attachments"]) for one in found] == [(gateway, [])], found
    awsim.cli("ec2", "delete-internet-gateway", "--internet-gateway-id", gateway)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    awsim.cli("ec2", "delete-vpc", "--vpc-id", vpc["VpcId"])
    assert awsim.cli("ec2", "describe-vpcs")["Vpcs"] == []
    with refused("InvalidVpcID.NotFound"):
        ec2.delete_vpc(VpcId=vpc["VpcId"])


def test_what_is_not_allowed_is_refused_in_ec2_s_words(awsim):
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}]}'
    account = awsim.account("ec2")
    session = awsim.assume(account, Policy=policy)
    ec2 = awsim.client("ec2", credentials=session)
    assert ec2.describe_vpcs()["Vpcs"][0]["OwnerId"] == account
    with refused("UnauthorizedOperation", "ec2:DescribeSubnets", "session policy"):
        ec2.describe_subnets()
    with refused("AuthFailure"):
        awsim.client("ec2", credentials={"AccessKeyId": "AKIANOBODY", "SecretAccessKey": "any"}).describe_vpcs()
    with refused("AuthFailure"):
        awsim.client("ec2", "af-south-1").describe_vpcs()
    with refused("InvalidAction"):
        awsim.client("ec2").describe_instances()


main(globals())
