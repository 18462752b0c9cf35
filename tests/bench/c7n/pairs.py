"""Which policy of Cloud Custodian stands for which control, and what can be done to it behind their backs."""

from dataclasses import dataclass
from typing import Any

from verdicts import Verdict

HOME = "us-east-1"

Tampering = dict[str, Any]


@dataclass(frozen=True)
class Drift:
    """One way to disturb a cell: awsim's `tamper`, without account and Region."""

    tampering: Tampering
    # What Cloud Custodian says of it, and why where that is not what Landfall says.
    custodian_says: Verdict = Verdict.DRIFT
    reason: str | None = None

    def __str__(self) -> str:
        more = [f"{key}={value}" for key, value in self.tampering.items() if key not in ("service", "action")]
        return " ".join([self.tampering["action"], *more])


@dataclass(frozen=True)
class Pair:
    control: str
    # Of `policies.yml`. Several where one cannot say it: each runs where the others do not.
    policies: tuple[str, ...]
    # The operations that Landfall reads it with, which no other control here uses.
    reads: tuple[str, ...]
    drifts: tuple[Drift, ...] = ()
    # Otherwise it holds once in an account, and stands under the home Region.
    regional: bool = True
    # Whether it is one of the eight whose reads are counted together.
    in_goal: bool = True


def _drifts(service: str, *tamperings: str | Tampering) -> tuple[Drift, ...]:
    named = ({"action": one} if isinstance(one, str) else one for one in tamperings)
    return tuple(Drift({"service": service, **one}) for one in named)


def _password(member: str, value: Any) -> Tampering:
    return {"action": "edit_password_policy", "policy": {member: value}}


def _block_off(setting: str) -> Tampering:
    return {"action": "set_public_access_block", "setting": setting, "on": False}


def _metadata(member: str, value: str) -> Tampering:
    return {"action": "edit_metadata_defaults", "member": member, "value": value}


PAIRS = (
    # Members see the trail and cannot touch it: it is disturbed once for all, see `planting`.
    Pair("cloudtrail.trail", ("trail",), ("cloudtrail:GetTrailStatus",)),
    Pair(
        "config.recorder",
        ("recorder-home", "recorder"),
        (
            "config:DescribeConfigurationRecorders",
            "config:DescribeConfigurationRecorderStatus",
            "config:DescribeDeliveryChannels",
        ),
        (
            *_drifts("config", "stop_recorder", "delete_recorder", "edit_recorder", "delete_channel"),
            Drift(
                {"service": "config", "action": "edit_channel", "frequency": "Three_Hours"},
                Verdict.RIGHT,
                "check-config asks whether there is a channel, not how often it delivers and where to",
            ),
        ),
    ),
    Pair(
        "guardduty.detector",
        ("detector",),
        ("guardduty:ListDetectors", "guardduty:GetDetector", "guardduty:GetAdministratorAccount"),
        _drifts("guardduty", "suspend_detector", "delete_detector", {"action": "disable_feature", "feature": "S3_DATA_EVENTS"}),
    ),
    Pair("securityhub.hub", ("hub",), ("securityhub:DescribeHub",), _drifts("securityhub", "disable_hub")),
    Pair(
        "ec2.ebs-encryption",
        ("ebs-encryption",),
        ("ec2:GetEbsEncryptionByDefault",),
        _drifts("ec2", "disable_ebs_encryption"),
    ),
    Pair(
        "ec2.image-block-public-access",
        ("image-block",),
        ("ec2:GetImageBlockPublicAccessState",),
        _drifts("ec2", "allow_image_sharing"),
        in_goal=False,
    ),
    Pair(
        "ec2.instance-metadata-defaults",
        ("metadata-defaults",),
        ("ec2:GetInstanceMetadataDefaults",),
        _drifts("ec2", "reset_metadata_defaults", _metadata("HttpTokens", "optional")),
        in_goal=False,
    ),
    Pair(
        "accessanalyzer.analyzer",
        ("analyzer",),
        ("access-analyzer:ListAnalyzers",),
        _drifts(
            "access-analyzer",
            {"action": "delete_analyzers", "type": "ACCOUNT"},
            {"action": "fail_analyzers", "type": "ACCOUNT"},
        ),
    ),
    Pair(
        "iam.password-policy",
        ("password-policy",),
        ("iam:GetAccountPasswordPolicy",),
        _drifts(
            "iam",
            "delete_password_policy",
            _password("MinimumPasswordLength", 8),
            _password("PasswordReusePrevention", 1),
            _password("MaxPasswordAge", 30),
            _password("RequireSymbols", True),
            _password("AllowUsersToChangePassword", False),
        ),
        regional=False,
    ),
    Pair(
        "s3.account-public-access-block",
        ("public-access-block",),
        ("s3control:GetPublicAccessBlock",),
        _drifts(
            "s3control",
            "remove_public_access_block",
            _block_off("BlockPublicAcls"),
            _block_off("IgnorePublicAcls"),
            _block_off("BlockPublicPolicy"),
            _block_off("RestrictPublicBuckets"),
        ),
        regional=False,
    ),
)
