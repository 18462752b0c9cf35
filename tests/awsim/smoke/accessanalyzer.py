"""Access Analyzer as boto3 and the AWS CLI see it."""

from smoke import main, refused


def test_an_account_s_analyzer(awsim):
    workload = awsim.account("workload")
    credentials = awsim.assume(workload)
    analyzer = awsim.client("accessanalyzer", "eu-west-1", credentials=credentials)
    assert analyzer.list_analyzers(type="ACCOUNT")["analyzers"] == []
    arn = analyzer.create_analyzer(analyzerName="one", type="ACCOUNT", tags={"owner": "me"})["arn"]
    with refused("ConflictException"):
        analyzer.create_analyzer(analyzerName="one", type="ACCOUNT")
    with refused("ServiceQuotaExceededException"):
        analyzer.create_analyzer(analyzerName="two", type="ACCOUNT")
    assert analyzer.get_analyzer(analyzerName="one")["analyzer"]["status"] == "CREATING"
    awsim.advance(10)
    pages = analyzer.get_paginator("list_analyzers").paginate()
    (one,) = [one for page in pages for one in page["analyzers"]]
    assert (one["arn"], one["status"], one["tags"]) == (arn, "ACTIVE", {"owner": "me"}), one
    told = awsim.cli("accessanalyzer", "list-analyzers", "--region", "eu-west-1", credentials=credentials)
    assert [analyzer["name"] for analyzer in told["analyzers"]] == ["one"], told
    analyzer.delete_analyzer(analyzerName="one")
    with refused("ResourceNotFoundException"):
        analyzer.get_analyzer(analyzerName="one")


def test_the_organization_s_analyzer(awsim):
    organizations, principal = awsim.client("organizations"), "access-analyzer.amazonaws.com"
    security = awsim.account("security")
    analyzer = awsim.client("accessanalyzer", credentials=awsim.assume(security))
    with refused("AccessDeniedException"):
        analyzer.create_analyzer(analyzerName="all", type="ORGANIZATION")
    organizations.enable_aws_service_access(ServicePrincipal=principal)
    organizations.register_delegated_administrator(AccountId=security, ServicePrincipal=principal)
    analyzer.create_analyzer(analyzerName="all", type="ORGANIZATION")
    organizations.deregister_delegated_administrator(AccountId=security, ServicePrincipal=principal)
    told = analyzer.get_analyzer(analyzerName="all")["analyzer"]
    assert told["statusReason"]["code"] == "DELEGATED_ADMINISTRATOR_DEREGISTERED", told


main(globals())
