//! The wire: AWS JSON, REST-JSON, Query and REST-XML, all driven by the service models.
//!
//! A request becomes an operation and an input under the model's member names, checked against everything that the
//! model says; an answer or an error goes the way back. Services never see which protocol they were asked in.
//!
//! Values in between are plain JSON: timestamps are RFC 3339 strings, blobs base64 strings, maps objects.

mod answer;
mod body_json;
mod body_xml;
mod chunked;
mod error;
mod form;
pub mod model;
mod model_file;
mod query_error;
mod request;
mod rest;
mod scalar;
mod validate;

pub use answer::{answer, refuse};
pub use chunked::unchunk;
pub use error::{Credentials, access_denied, bad_credentials, internal_failure, unknown_operation};
pub use request::{Request, decode, operation};
pub use validate::validate;
