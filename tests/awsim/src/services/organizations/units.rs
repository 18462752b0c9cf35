//! The tree: one root, organizational units under it, accounts under either.

use std::collections::BTreeSet;
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
    pub(super) units: BTreeSet<String>,
    pub(super) accounts: BTreeSet<AccountId>,
}

impl Node {
    pub(super) fn new(name: &str, parent: Option<String>) -> Self {
        Node {
            name: name.to_owned(),
            parent,
            units: BTreeSet::new(),
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
        node.units.insert(id.clone());
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
        let siblings = &self.node(parent)?.units;
        if siblings.iter().any(|id| self.nodes[id].name == name) {
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
        self.free_name(unit.parent.as_deref().unwrap_or_default(), name)?;
        if let Some(node) = self.nodes.get_mut(id) {
            name.clone_into(&mut node.name);
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
        let parent = unit.parent.clone().unwrap_or_default();
        if let Some(node) = self.nodes.get_mut(&parent) {
            node.units.remove(id);
        }
        self.nodes.remove(id);
        self.attached.remove(id);
        self.tags.remove(id);
        Ok(json!({}))
    }

    pub(super) fn list_units(&self, call: &Call<'_>) -> Answer {
        let units = &self.node(call.required("ParentId"))?.units;
        page(call, "OrganizationalUnits", units.iter().cloned(), |id| {
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
            node.units.iter().cloned().collect()
        };
        page(
            call,
            "Children",
            children.into_iter(),
            |id| json!({ "Id": id, "Type": kind }),
        )
    }
}
