//! The tree: one root, organizational units under it, accounts under either.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use serde_json::{Value, json};

use super::{State, constraint, page, tags};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// Quota: OUs in an organization.
const MOST_UNITS: usize = 2_000;
/// Quota: levels of OUs under the root.
const DEEPEST: usize = 5;

/// The root or an OU.
pub(super) struct Node {
    pub(super) name: String,
    /// Nothing for the root.
    pub(super) parent: Option<String>,
    /// The OUs right under it by name, which is unique here.
    pub(super) units: BTreeMap<String, String>,
    pub(super) accounts: BTreeSet<AccountId>,
}

impl Node {
    pub(super) fn new(name: &str, parent: Option<String>) -> Self {
        Node {
            name: name.to_owned(),
            parent,
            units: BTreeMap::new(),
            accounts: BTreeSet::new(),
        }
    }
}

/// `CreateOrganizationalUnit`.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let (parent, name) = (call.required("ParentId"), call.required("Name"));
    let state = &world.organizations;
    state.node(parent)?;
    state.free_name(parent, name)?;
    let tags = tags::read(call)?;
    if state.up(parent).count() > DEEPEST {
        return Err(constraint(
            "OU_DEPTH_LIMIT_EXCEEDED",
            "You've exceeded the maximum depth of OUs.",
        ));
    }
    if state.nodes.len() > MOST_UNITS {
        return Err(constraint(
            "OU_NUMBER_LIMIT_EXCEEDED",
            "You've exceeded the maximum number of OUs.",
        ));
    }
    let suffix = world.random_id(8);
    let state = &mut world.organizations;
    let id = format!("ou-{}-{suffix}", state.root.trim_start_matches("r-"));
    state
        .nodes
        .insert(id.clone(), Node::new(name, Some(parent.to_owned())));
    if let Some(node) = state.nodes.get_mut(parent) {
        node.units.insert(name.to_owned(), id.clone());
    }
    state.set_tags(&id, tags);
    state.attach_full_access(id.clone());
    Ok(json!({ "OrganizationalUnit": state.unit_view(&id) }))
}

impl State {
    pub(super) fn node(&self, id: &str) -> Result<&Node, AwsError> {
        let message = "We can't find a root or OU with the ParentId that you specified.";
        self.nodes
            .get(id)
            .ok_or_else(|| AwsError::new("ParentNotFoundException", message))
    }

    /// The node itself, its parent, and so on up to the root.
    pub(super) fn up<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let first = self.nodes.get(id).map(|node| (id, node));
        iter::successors(first, |(_, node)| {
            let parent = node.parent.as_deref()?;
            self.nodes.get(parent).map(|node| (parent, node))
        })
    }

    /// `o-…/r-…/ou-…/`
    pub(super) fn unit_path(&self, id: &str) -> String {
        let mut ids: Vec<&str> = self.up(id).map(|(id, _)| id).collect();
        ids.push(&self.id);
        ids.iter().rev().flat_map(|id| [id, "/"]).collect()
    }

    /// The names of the OUs from the root down, joined by `/`, without the root itself.
    pub(super) fn unit_names(&self, id: &str) -> String {
        let mut names: Vec<&str> = self
            .up(id)
            .filter(|(_, node)| node.parent.is_some())
            .map(|(_, node)| node.name.as_str())
            .collect();
        names.reverse();
        names.join("/")
    }

    /// The type of a node as `ListParents` and attachments call it.
    pub(super) fn node_type(&self, id: &str) -> &'static str {
        if id == self.root {
            "ROOT"
        } else {
            "ORGANIZATIONAL_UNIT"
        }
    }

    pub(super) fn node_arn(&self, id: &str) -> String {
        let kind = if id == self.root { "root" } else { "ou" };
        format!(
            "arn:aws:organizations::{MANAGEMENT_ACCOUNT}:{kind}/{}/{id}",
            self.id
        )
    }

    /// An OU that is to exist; the root is none.
    pub(super) fn unit(&self, id: &str) -> Result<&Node, AwsError> {
        let message = "We can't find an OU with the OrganizationalUnitId that you specified.";
        let unit = self.nodes.get(id).filter(|node| node.parent.is_some());
        unit.ok_or_else(|| AwsError::new("OrganizationalUnitNotFoundException", message))
    }

    /// OUs with one parent have different names.
    fn free_name(&self, parent: &str, name: &str) -> Result<(), AwsError> {
        if self.node(parent)?.units.contains_key(name) {
            let message = "An OU with the same name already exists.";
            return Err(AwsError::new(
                "DuplicateOrganizationalUnitException",
                message,
            ));
        }
        Ok(())
    }

    fn unit_view(&self, id: &str) -> Value {
        let name = self.nodes.get(id).map(|node| &node.name);
        json!({ "Id": id, "Arn": self.node_arn(id), "Name": name, "Path": self.unit_path(id) })
    }

    pub(super) fn root_view(&self) -> Value {
        json!({
            "Id": self.root,
            "Arn": self.node_arn(&self.root),
            "Name": "Root",
            "PolicyTypes": self.policy_types(),
        })
    }

    pub(super) fn list_roots(&self, call: &Call<'_>) -> Answer {
        page(call, "Roots", iter::once(self.root.clone()), |_| {
            self.root_view()
        })
    }

    pub(super) fn describe_unit(&self, call: &Call<'_>) -> Answer {
        let id = call.required("OrganizationalUnitId");
        self.unit(id)?;
        Ok(json!({ "OrganizationalUnit": self.unit_view(id) }))
    }

    pub(super) fn update_unit(&mut self, call: &Call<'_>) -> Answer {
        let id = call.required("OrganizationalUnitId");
        self.unit(id)?;
        if let Some(name) = call.text("Name") {
            self.rename_unit(id, name)?;
        }
        Ok(json!({ "OrganizationalUnit": self.unit_view(id) }))
    }

    /// Renames an OU; the name it already has is no duplicate.
    pub(super) fn rename_unit(&mut self, id: &str, name: &str) -> Result<(), AwsError> {
        let unit = self.unit(id)?;
        if unit.name == name {
            return Ok(());
        }
        let parent = unit.parent.clone().unwrap_or_default();
        self.free_name(&parent, name)?;
        let Some(unit) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let before = std::mem::replace(&mut unit.name, name.to_owned());
        if let Some(parent) = self.nodes.get_mut(&parent) {
            parent.units.remove(&before);
            parent.units.insert(name.to_owned(), id.to_owned());
        }
        Ok(())
    }

    pub(super) fn delete_unit(&mut self, call: &Call<'_>) -> Answer {
        let id = call.required("OrganizationalUnitId");
        let unit = self.unit(id)?;
        if !unit.units.is_empty() || !unit.accounts.is_empty() {
            let message = "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.";
            return Err(AwsError::new(
                "OrganizationalUnitNotEmptyException",
                message,
            ));
        }
        let (name, parent) = (unit.name.clone(), unit.parent.clone().unwrap_or_default());
        if let Some(node) = self.nodes.get_mut(&parent) {
            node.units.remove(&name);
        }
        self.nodes.remove(id);
        self.attached.remove(id);
        self.tags.remove(id);
        Ok(json!({}))
    }

    pub(super) fn list_units(&self, call: &Call<'_>) -> Answer {
        let units = &self.node(call.required("ParentId"))?.units;
        page(call, "OrganizationalUnits", units.values().cloned(), |id| {
            self.unit_view(id)
        })
    }

    pub(super) fn list_parents(&self, call: &Call<'_>) -> Answer {
        let child = call.required("ChildId");
        let account = child
            .parse()
            .ok()
            .and_then(|id: AccountId| self.accounts.get(&id))
            .map(|a| &a.parent);
        let parent =
            account.or_else(|| self.nodes.get(child).and_then(|node| node.parent.as_ref()));
        let Some(parent) = parent else {
            let message = "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.";
            return Err(AwsError::new("ChildNotFoundException", message));
        };
        page(
            call,
            "Parents",
            iter::once(parent.clone()),
            |id| json!({ "Id": id, "Type": self.node_type(id) }),
        )
    }

    pub(super) fn list_children(&self, call: &Call<'_>) -> Answer {
        let node = self.node(call.required("ParentId"))?;
        let kind = call.required("ChildType");
        let children: Vec<String> = if kind == "ACCOUNT" {
            node.accounts.iter().map(AccountId::to_string).collect()
        } else {
            node.units.values().cloned().collect()
        };
        page(
            call,
            "Children",
            children.into_iter(),
            |id| json!({ "Id": id, "Type": kind }),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Org;

    fn made(parent: &str, name: &str) -> Value {
        json!({ "ParentId": parent, "Name": name })
    }

    #[test]
    fn siblings_have_different_names() {
        let mut org = Org::new();
        let root = org.root();
        let one = org.unit(&root, "Applications");
        let refusal = org.refusal("CreateOrganizationalUnit", made(&root, "Applications"));
        assert_eq!(refusal, "DuplicateOrganizationalUnitException");
        org.unit(&one, "Applications");
        let other = org.unit(&root, "Sandbox");
        let rename = |name: &str| json!({ "OrganizationalUnitId": other, "Name": name });
        let refusal = org.refusal("UpdateOrganizationalUnit", rename("Applications"));
        assert_eq!(refusal, "DuplicateOrganizationalUnitException");
        org.call("UpdateOrganizationalUnit", rename("Sandbox"));
        org.call("UpdateOrganizationalUnit", rename("Playground"));
        let named = org.call(
            "DescribeOrganizationalUnit",
            json!({ "OrganizationalUnitId": other }),
        );
        assert_eq!(named["OrganizationalUnit"]["Name"], "Playground");
        org.unit(&root, "Sandbox");
    }

    #[test]
    fn nesting_ends_at_five_levels() {
        let mut org = Org::new();
        let mut parent = org.root();
        for level in 1..=5 {
            parent = org.unit(&parent, &format!("Level {level}"));
        }
        let refusal = org.refusal("CreateOrganizationalUnit", made(&parent, "Level 6"));
        assert_eq!(
            refusal,
            "ConstraintViolationException OU_DEPTH_LIMIT_EXCEEDED"
        );
    }

    #[test]
    fn two_thousand_units_at_most() {
        let mut org = Org::new();
        let root = org.root();
        for n in 0..2_000 {
            org.unit(&root, &n.to_string());
        }
        let refusal = org.refusal("CreateOrganizationalUnit", made(&root, "one more"));
        assert_eq!(
            refusal,
            "ConstraintViolationException OU_NUMBER_LIMIT_EXCEEDED"
        );
    }

    #[test]
    fn only_an_empty_unit_is_deleted() {
        let mut org = Org::new();
        let root = org.root();
        let (unit, account) = (
            org.unit(&root, "Applications"),
            org.account("a@example.com"),
        );
        let delete = json!({ "OrganizationalUnitId": unit });
        let child = org.unit(&unit, "Production");
        assert_eq!(
            org.refusal("DeleteOrganizationalUnit", delete.clone()),
            "OrganizationalUnitNotEmptyException"
        );
        org.call(
            "DeleteOrganizationalUnit",
            json!({ "OrganizationalUnitId": child }),
        );
        let to =
            json!({ "AccountId": account, "SourceParentId": root, "DestinationParentId": unit });
        org.call("MoveAccount", to);
        assert_eq!(
            org.refusal("DeleteOrganizationalUnit", delete.clone()),
            "OrganizationalUnitNotEmptyException"
        );
        let back =
            json!({ "AccountId": account, "SourceParentId": unit, "DestinationParentId": root });
        org.call("MoveAccount", back);
        org.call("DeleteOrganizationalUnit", delete.clone());
        assert_eq!(
            org.refusal("DeleteOrganizationalUnit", delete),
            "OrganizationalUnitNotFoundException"
        );
        assert!(
            org.list(
                "ListOrganizationalUnitsForParent",
                json!({ "ParentId": root }),
                "OrganizationalUnits"
            )
            .is_empty()
        );
    }

    #[test]
    fn the_tree_is_read_in_both_directions() {
        let mut org = Org::new();
        let root = org.root();
        let (unit, account) = (
            org.unit(&root, "Applications"),
            org.account("a@example.com"),
        );
        let child = org.unit(&unit, "Production");
        let mut children = |kind: &str| {
            let input = json!({ "ParentId": root, "ChildType": kind });
            let children = org.list("ListChildren", input, "Children");
            children
                .iter()
                .map(|child| child["Id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(children("ORGANIZATIONAL_UNIT"), [unit.as_str()]);
        let mut accounts = vec!["111111111111".to_owned(), account];
        accounts.sort();
        assert_eq!(children("ACCOUNT"), accounts);
        let parents = org.list("ListParents", json!({ "ChildId": child }), "Parents");
        assert_eq!(
            parents,
            [json!({ "Id": unit, "Type": "ORGANIZATIONAL_UNIT" })]
        );
        let unknown = format!("ou-{}-00000000", &root[2..]);
        for (operation, member, code) in [
            ("ListParents", "ChildId", "ChildNotFoundException"),
            ("ListChildren", "ParentId", "ParentNotFoundException"),
            (
                "ListAccountsForParent",
                "ParentId",
                "ParentNotFoundException",
            ),
            (
                "ListOrganizationalUnitsForParent",
                "ParentId",
                "ParentNotFoundException",
            ),
            (
                "DescribeOrganizationalUnit",
                "OrganizationalUnitId",
                "OrganizationalUnitNotFoundException",
            ),
        ] {
            assert_eq!(
                org.refusal(
                    operation,
                    json!({ member: unknown, "ChildType": "ACCOUNT" })
                ),
                code
            );
        }
        let refusal = org.refusal(
            "DescribeOrganizationalUnit",
            json!({ "OrganizationalUnitId": root }),
        );
        assert_eq!(
            refusal, "OrganizationalUnitNotFoundException",
            "the root is no OU"
        );
    }
}
