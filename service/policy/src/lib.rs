//! The IAM policy language.

/// A policy document.
#[derive(Clone, Debug)]
pub struct Policy;
