//! Member accounts: what they are called, where they hang, and in what state they are.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{State, no_account, page};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::{MANAGEMENT_ACCOUNT, World};

pub(super) struct Account {
    pub(super) name: String,
    pub(super) email: String,
    /// The root or OU that it hangs under.
    pub(super) parent: String,
    pub(super) joined: Timestamp,
    /// From when on it stands in lists: those lag behind what `DescribeAccount` says.
    pub(super) listed_from: Timestamp,
    pub(super) method: Joined,
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    Invited,
    Created,
}

/// Where an account is in its life. AWS tells it twice: as `State`, and in coarser words as `Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Active,
    /// AWS suspended it.
    Suspended,
    PendingClosure,
    Closed,
}

impl Standing {
    pub(super) fn answers(self) -> bool {
        matches!(self, Standing::Active | Standing::PendingClosure)
    }

    pub(super) fn state(self) -> &'static str {
        match self {
            Standing::Active => "ACTIVE",
            Standing::Suspended => "SUSPENDED",
            Standing::PendingClosure => "PENDING_CLOSURE",
            Standing::Closed => "CLOSED",
        }
    }

    fn status(self) -> &'static str {
        match self {
            Standing::Active => "ACTIVE",
            Standing::Suspended | Standing::Closed => "SUSPENDED",
            Standing::PendingClosure => "PENDING_CLOSURE",
        }
    }
}

impl Account {
    pub(super) fn describe(&self) -> Description<'_> {
        Description {
            name: &self.name,
            email: &self.email,
            created: self.joined,
            state: self.standing.state(),
        }
    }
}

/// What other services show of an account.
pub struct Description<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub created: Timestamp,
    /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, `CLOSED`.
    pub state: &'static str,
}

/// All members with what a reader of a test wants to know, sorted by id. `path` is the names of the OUs from the root
/// down, joined by `/`, and empty for an account in the root.
pub fn accounts_report(world: &World) -> Value {
    let state = &world.organizations;
    let report = |(id, a): (&AccountId, &Account)| {
        json!({
            "id": id.to_string(),
            "email": a.email,
            "name": a.name,
            "state": a.standing.state(),
            "path": state.unit_names(&a.parent),
            "tags": state.tags.get(&id.to_string()),
            "created": a.joined.to_string(),
        })
    };
    state.accounts.iter().map(report).collect()
}

impl State {
    pub(super) fn account_arn(&self, account: AccountId) -> String {
        format!(
            "arn:aws:organizations::{MANAGEMENT_ACCOUNT}:account/{}/{account}",
            self.id
        )
    }

    /// The account that an id names, if it is a member.
    pub(super) fn member(&self, id: &str) -> Result<AccountId, AwsError> {
        id.parse()
            .ok()
            .filter(|account| self.accounts.contains_key(account))
            .ok_or_else(no_account)
    }

    /// Adds a member, with what every member has from its first moment.
    pub(super) fn add_account(&mut self, id: AccountId, account: Account) {
        self.emails.insert(account.email.to_ascii_lowercase(), id);
        if let Some(node) = self.nodes.get_mut(&account.parent) {
            node.accounts.insert(id);
        }
        self.accounts.insert(id, account);
        self.attach_full_access(id.to_string());
    }

    /// Gives an account another name, as Account Management's `PutAccountName` does.
    pub fn rename_account(&mut self, id: AccountId, name: &str) {
        if let Some(account) = self.accounts.get_mut(&id) {
            name.clone_into(&mut account.name);
        }
    }

    /// Hangs a member under another node. Both must be there.
    pub(super) fn place(&mut self, id: AccountId, parent: &str) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut account.parent, parent.to_owned());
        if let Some(node) = self.nodes.get_mut(&before) {
            node.accounts.remove(&id);
        }
        if let Some(node) = self.nodes.get_mut(parent) {
            node.accounts.insert(id);
        }
    }

    pub(super) fn account_view(&self, id: AccountId) -> Value {
        self.accounts.get(&id).map_or(Value::Null, |a| {
            json!({
                "Id": id.to_string(),
                "Arn": self.account_arn(id),
                "Email": a.email,
                "Name": a.name,
                "Status": a.standing.status(),
                "State": a.standing.state(),
                "Paths": [format!("{}{id}/", self.unit_path(&a.parent))],
                "JoinedMethod": if a.method == Joined::Created { "CREATED" } else { "INVITED" },
                "JoinedTimestamp": a.joined.to_string(),
            })
        })
    }

    /// A page of accounts, described in full.
    fn account_page<'a>(
        &self,
        call: &Call<'_>,
        ids: impl Iterator<Item = &'a AccountId>,
    ) -> Answer {
        let listed = ids.filter(|id| self.accounts[id].listed_from <= call.now);
        let view = |id: &str| id.parse().map_or(Value::Null, |id| self.account_view(id));
        page(call, "Accounts", listed.map(AccountId::to_string), view)
    }

    pub(super) fn list_accounts(&self, call: &Call<'_>) -> Answer {
        self.account_page(call, self.accounts.keys())
    }

    pub(super) fn list_accounts_for_parent(&self, call: &Call<'_>) -> Answer {
        self.account_page(call, self.node(call.required("ParentId"))?.accounts.iter())
    }

    pub(super) fn describe_account(&self, call: &Call<'_>) -> Answer {
        let id = self.member(call.required("AccountId"))?;
        Ok(json!({ "Account": self.account_view(id) }))
    }

    /// The source parent must be exact. An account that is already where it is to go is a duplicate, whatever the
    /// source says, so a repeated move is told apart from a move that lost a race.
    pub(super) fn move_account(&mut self, call: &Call<'_>) -> Answer {
        let id = self.member(call.required("AccountId"))?;
        let destination = call.required("DestinationParentId");
        if !self.nodes.contains_key(destination) {
            let message = "We can't find the destination container (a root or OU) with the ParentId that you specified.";
            return Err(AwsError::new("DestinationParentNotFoundException", message));
        }
        let parent = &self.accounts[&id].parent;
        if parent == destination {
            let message = "That account is already present in the specified destination.";
            return Err(AwsError::new("DuplicateAccountException", message));
        }
        if parent != call.required("SourceParentId") {
            let message = "We can't find a source root or OU with the ParentId that you specified.";
            return Err(AwsError::new("SourceParentNotFoundException", message));
        }
        self.place(id, destination);
        Ok(json!({}))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::super::tests::Org;
    use super::accounts_report;

    #[test]
    fn a_move_names_the_exact_source() {
        let mut org = Org::new();
        let root = org.root();
        let account = org.account("a@example.com");
        let [one, other] = ["One", "Other"].map(|name| org.unit(&root, name));
        let to = |from: &str, to: &str| json!({ "AccountId": account, "SourceParentId": from, "DestinationParentId": to });
        let unknown = format!("ou-{}-00000000", &root[2..]);
        assert_eq!(
            org.refusal("MoveAccount", to(&one, &other)),
            "SourceParentNotFoundException"
        );
        assert_eq!(
            org.refusal("MoveAccount", to(&root, &unknown)),
            "DestinationParentNotFoundException"
        );
        org.call("MoveAccount", to(&root, &one));
        assert_eq!(
            org.refusal("MoveAccount", to(&root, &one)),
            "DuplicateAccountException"
        );
        assert_eq!(
            org.refusal("MoveAccount", to(&root, &other)),
            "SourceParentNotFoundException"
        );
        let stranger = json!({ "AccountId": "999999999999", "SourceParentId": root, "DestinationParentId": one });
        assert_eq!(
            org.refusal("MoveAccount", stranger),
            "AccountNotFoundException"
        );
        let id = account.parse().unwrap();
        let state = &org.world.organizations;
        assert_eq!(
            state.path(id),
            format!("{}/{root}/{one}/", state.organization_id())
        );
        let mut under = |parent: &str| {
            org.list(
                "ListAccountsForParent",
                json!({ "ParentId": parent }),
                "Accounts",
            )
            .len()
        };
        assert_eq!((under(&root), under(&one)), (1, 1));
    }

    #[test]
    fn a_page_may_be_empty_and_go_on() {
        let mut org = Org::new();
        for n in 0..25 {
            org.account(&format!("a{n}@example.com"));
        }
        let first = org.call("ListAccounts", json!({}));
        assert_eq!(first["Accounts"], json!([]));
        assert!(first["NextToken"].is_string());
        let listed = org.list("ListAccounts", json!({}), "Accounts");
        let ids: BTreeSet<&str> = listed
            .iter()
            .map(|account| account["Id"].as_str().unwrap())
            .collect();
        assert_eq!((listed.len(), ids.len()), (26, 26));
        assert_eq!(
            org.refusal("ListAccounts", json!({ "NextToken": "made up" })),
            "InvalidInputException INVALID_NEXT_TOKEN"
        );
    }

    #[test]
    fn suspended_accounts_stay_listed() {
        let mut org = Org::new();
        let account = org.account("a@example.com");
        org.tamper(&json!({ "action": "suspend_account", "account": account }))
            .unwrap();
        let described =
            org.call("DescribeAccount", json!({ "AccountId": account }))["Account"].clone();
        assert_eq!(
            (&described["State"], &described["Status"]),
            (&json!("SUSPENDED"), &json!("SUSPENDED"))
        );
        assert!(!org.world.organizations.is_active(account.parse().unwrap()));
        assert_eq!(org.list("ListAccounts", json!({}), "Accounts").len(), 2);
        assert_eq!(
            org.refusal("DescribeAccount", json!({ "AccountId": "999999999999" })),
            "AccountNotFoundException"
        );
    }

    #[test]
    fn the_report_tells_everything() {
        let mut org = Org::new();
        let root = org.root();
        let account = org.account("a@example.com");
        let applications = org.unit(&root, "Applications");
        let production = org.unit(&applications, "Production");
        org.tamper(&json!({ "action": "move_account", "account": account, "to": production }))
            .unwrap();
        org.call(
            "TagResource",
            json!({ "ResourceId": account, "Tags": [{ "Key": "owner", "Value": "me" }] }),
        );
        let report = accounts_report(&org.world);
        let row = |row: &&Value| row["id"] == account;
        let row = report.as_array().unwrap().iter().find(row).unwrap();
        assert_eq!(row["path"], "Applications/Production");
        assert_eq!(
            (&row["email"], &row["state"]),
            (&json!("a@example.com"), &json!("ACTIVE"))
        );
        assert_eq!(row["tags"], json!({ "owner": "me" }));
    }
}
