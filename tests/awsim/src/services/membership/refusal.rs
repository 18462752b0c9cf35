use crate::call::AccountId;

/// Why a call is refused, or one account of a batch call.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// The caller is not the organization's management account.
    NotManagement,
    /// `AdminAccountId` is not an active account of the organization.
    NotInOrganization,
    /// The first designation in another Region has not been spread yet.
    DesignationInProgress,
    /// The organization's administrator is this other account, perhaps in another Region.
    OtherAdministrator(AccountId),
    /// `AdminAccountId` is the organization's administrator already.
    AlreadyAdministrator,
    /// `AdminAccountId` is not the organization's administrator.
    NotAdministrator,
    /// The caller is not the organization's administrator.
    CallerNotAdministrator,
    /// The caller is a member, and members have no members.
    CallerIsMember,
    /// The caller accepts an invitation while it has an administrator.
    HasAdministrator,
    /// The caller leaves an administrator that it does not have.
    NoAdministrator,
    /// The caller came through the organization and cannot leave by itself.
    BoundByOrganization,
    /// What is no account's id cannot be created or invited.
    InvalidId,
    /// An account cannot be its own member.
    Itself,
    /// The Region is off in the account.
    NotOptedIn,
    /// The account has another administrator.
    OthersMember,
    /// The management account must switch the service on by itself before it can be a member.
    ManagementOff,
    /// AWS knows no such account.
    NoAccount,
    /// An account that is to be invited was named without its e-mail address.
    NoEmail,
    /// The account was invited or enabled, and cannot be created again.
    AlreadyMember,
    /// The account was invited or enabled, and cannot be invited again.
    AlreadyInvited,
    /// The account was not created before it is invited.
    NotCreated,
    /// The account came through the organization, which invites nobody.
    OfOrganization,
    /// Nobody invited the caller so, or it was long ago.
    NoInvitation,
    /// The invitation is open or accepted, and cannot be deleted.
    InvitationStands,
    /// The account is not a member, or no longer.
    NotMember,
    /// The account is an enabled member, which must be disassociated before it is deleted.
    StillMember,
    /// A rule that one service alone has, in its words.
    Own(&'static str),
}
