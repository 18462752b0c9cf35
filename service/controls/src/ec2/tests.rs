use super::*;
use crate::wire::Wire;

const ACTIONS: [&str; 2] = ["ec2:DescribeVpcs", "ec2:EnableEbsEncryptionByDefault"];

fn aws(wire: &Wire) -> Aws {
    wire.aws("cn-north-1", &ACTIONS)
}

#[tokio::test]
async fn a_request_is_a_signed_form_and_every_page_is_read() {
    let wire = Wire::with([
        (
            200,
            r#"<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
            <requestId>r-1</requestId><vpcSet/><nextToken>a token/+=</nextToken></DescribeVpcsResponse>"#,
        ),
        (
            200,
            r#"<DescribeVpcsResponse><vpcSet>
            <item><vpcId>vpc-1</vpcId><tagSet><item><key>a</key><value>x &amp; y</value></item></tagSet></item>
            <item><vpcId>vpc-2</vpcId></item></vpcSet></DescribeVpcsResponse>"#,
        ),
    ]);
    let aws = aws(&wire);
    let ec2 = aws.ec2();
    let filter = [
        ("Filter.1.Name", "is-default"),
        ("Filter.1.Value.1", "true"),
    ];
    let vpcs = ec2
        .list(
            "ec2:DescribeVpcs",
            &filter,
            "vpcSet",
            &["vpcId", "tagSet/item/value"],
        )
        .await
        .unwrap();
    let found: Vec<_> = vpcs
        .iter()
        .map(|vpc| {
            (
                vpc.text("vpcId").unwrap(),
                vpc.all("tagSet/item/value").to_vec(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("vpc-1", vec!["x & y".to_owned()]), ("vpc-2", vec![])]
    );

    let requests = wire.requests();
    let bodies: Vec<_> = requests
        .iter()
        .map(|request| std::str::from_utf8(request.body().bytes().unwrap()).unwrap())
        .collect();
    let first = "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=is-default&Filter.1.Value.1=true&MaxResults=1000";
    assert_eq!(
        bodies,
        [first, &format!("{first}&NextToken=a%20token%2F%2B%3D")]
    );
    let request = &requests[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://ec2.cn-north-1.amazonaws.com.cn/");
    let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(header("x-amz-security-token"), "token");
    let date = header("x-amz-date")[..8].to_owned();
    let signed = header("authorization");
    for part in [
        &format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{date}/cn-north-1/ec2/aws4_request, "),
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=",
    ] {
        assert!(signed.contains(part), "{signed} lacks {part}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_as_ec2_tells_it() {
    let refusal = r#"<?xml version="1.0" encoding="UTF-8"?>
        <Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are &lt;not&gt; allowed.</Message></Error></Errors>
        <RequestID>4de1cfe5</RequestID></Response>"#;
    for (status, body, kind, code, message, id) in [
        (
            403,
            refusal,
            CloudErrorKind::AccessDenied,
            Some("UnauthorizedOperation"),
            "You are <not> allowed.",
            Some("4de1cfe5"),
        ),
        (
            502,
            "Bad gateway",
            CloudErrorKind::Unavailable,
            None,
            "HTTP status 502",
            None,
        ),
    ] {
        let wire = Wire::with([(status, body)]);
        let aws = aws(&wire);
        let error = aws
            .ec2()
            .act("ec2:EnableEbsEncryptionByDefault", &[])
            .await
            .unwrap_err();
        assert_eq!(
            (
                error.kind,
                error.code.as_deref(),
                error.message.as_str(),
                error.request_id.as_deref()
            ),
            (kind, code, message, id)
        );
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let broken = "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId>";
    let wire = Wire::with([(200, broken)]);
    let aws = aws(&wire);
    let error = aws
        .ec2()
        .list("ec2:DescribeVpcs", &[], "vpcSet", &["vpcId"])
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Unavailable);
}

#[test]
fn a_region_s_endpoint_is_its_partition_s() {
    for (region, fips, url) in [
        ("eu-west-1", false, "https://ec2.eu-west-1.amazonaws.com"),
        (
            "us-gov-west-1",
            true,
            "https://ec2-fips.us-gov-west-1.amazonaws.com",
        ),
        (
            "cn-northwest-1",
            false,
            "https://ec2.cn-northwest-1.amazonaws.com.cn",
        ),
        (
            "eusc-de-east-1",
            false,
            "https://ec2.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "us-iso-east-1",
            false,
            "https://ec2.us-iso-east-1.c2s.ic.gov",
        ),
        (
            "us-isob-east-1",
            false,
            "https://ec2.us-isob-east-1.sc2s.sgov.gov",
        ),
    ] {
        assert_eq!(endpoint(region, fips), url);
    }
}
