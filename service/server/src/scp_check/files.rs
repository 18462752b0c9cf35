//! The files of a catalogue of service control policies, wherever they come from: the program, a directory, a request.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use landfall_model::landing_zone::{LandingZone, SettingsError};
use landfall_model::scp::ScpSet;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../scp"]
#[include = "*.json"]
#[include = "attachments.toml"]
#[include = "exemptions.toml"]
#[include = "decisions/*.toml"]
struct Embedded;

/// Where the embedded files are shown to stand.
const FOLDER: &str = "scp/";
const ATTACHMENTS: &str = "attachments.toml";
const EXEMPTIONS: &str = "exemptions.toml";
const TABLES: &str = "decisions";

/// A file's name, as it is shown, and its text.
pub type NamedText = (String, String);

/// The texts of a catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScpFiles {
    /// `attachments.toml`
    pub attachments: Option<NamedText>,
    /// `exemptions.toml`
    pub exemptions: Option<NamedText>,
    /// `NAME.json`
    pub documents: Vec<NamedText>,
    /// `decisions/NAME.toml`
    pub tables: Vec<NamedText>,
}

/// A file that has no place in a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no file of a catalogue of policies: it has NAME.json, attachments.toml, exemptions.toml and decisions/NAME.toml"
)]
pub struct NoSuchFile;

impl ScpFiles {
    /// Those that travel in the program.
    pub fn embedded() -> Self {
        let mut files = ScpFiles::default();
        for name in Embedded::iter() {
            let text = Embedded::get(&name)
                .map(|file| String::from_utf8_lossy(&file.data).into_owned())
                .unwrap_or_default();
            // The folder has these files alone: see the patterns above.
            let _ = files.add(&name, format!("{FOLDER}{name}"), text);
        }
        files
    }

    /// Those of a directory. Others that stand there are left alone.
    ///
    /// # Errors
    ///
    /// Where the directory or one of the files cannot be read: with its name.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut files = ScpFiles::default();
        files.read_from(directory, "")?;
        let tables = directory.join(TABLES);
        if tables.is_dir() {
            files.read_from(&tables, "decisions/")?;
        }
        Ok(files)
    }

    fn read_from(&mut self, directory: &Path, folder: &str) -> io::Result<()> {
        let unreadable = |path: &Path, error: &io::Error| {
            io::Error::new(
                error.kind(),
                format!("{} cannot be read: {error}", path.display()),
            )
        };
        let listed = std::fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
        let mut paths = listed
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let name = format!("{folder}{name}");
            if path.is_dir() || Kind::of(&name).is_none() {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let _ = self.add(&name, path.display().to_string(), text);
        }
        Ok(())
    }

    /// Those of a request, by their names within the catalogue.
    ///
    /// # Errors
    ///
    /// The name of a file that has no place there.
    pub fn named(texts: BTreeMap<String, String>) -> Result<Self, (String, NoSuchFile)> {
        let mut files = ScpFiles::default();
        for (name, text) in texts {
            files
                .add(&name, name.clone(), text)
                .map_err(|error| (name, error))?;
        }
        Ok(files)
    }

    fn add(&mut self, name: &str, shown: String, text: String) -> Result<(), NoSuchFile> {
        match Kind::of(name).ok_or(NoSuchFile)? {
            Kind::Document => self.documents.push((shown, text)),
            Kind::Table => self.tables.push((shown, text)),
            Kind::Attachments => self.attachments = Some((shown, text)),
            Kind::Exemptions => self.exemptions = Some((shown, text)),
        }
        Ok(())
    }

    /// The texts by their names within the catalogue, as [`ScpFiles::named`] takes them.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let one = |folder: &'static str| {
            move |(shown, text): &NamedText| {
                let name = shown.rsplit('/').next().unwrap_or(shown);
                (format!("{folder}{name}"), text.clone())
            }
        };
        let tables = self.tables.iter().map(one("decisions/"));
        let others = self.documents.iter();
        let others = others.chain(&self.attachments).chain(&self.exemptions);
        others.map(one("")).chain(tables).collect()
    }

    /// All of them together, as the server reads them at start.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(&self, zone: &LandingZone) -> Result<ScpSet, SettingsError> {
        let attachments = self.attachments.as_ref().ok_or_else(|| SettingsError {
            file: ATTACHMENTS.to_owned(),
            line: None,
            rule: "is not there: it says which policies the root and each OU have".to_owned(),
        })?;
        ScpSet::parse(attachments, self.exemptions.as_ref(), &self.documents, zone)
    }

    /// The file of a document, by the document's name.
    pub fn file_of<'a>(&'a self, name: &'a str) -> &'a str {
        let found = self
            .documents
            .iter()
            .find(|(file, _)| document_name(file) == name);
        found.map_or(name, |(file, _)| file.as_str())
    }
}

/// `quarantine` of `scp/quarantine.json`.
pub fn document_name(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".json")
        .or_else(|| name.strip_suffix(".toml"))
        .unwrap_or(name)
}

enum Kind {
    Document,
    Table,
    Attachments,
    Exemptions,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        let stem = |name: &str, ending: &str| {
            name.strip_suffix(ending)
                .is_some_and(|stem| !stem.is_empty() && !stem.contains('/'))
        };
        match name.split_once('/') {
            None if name == ATTACHMENTS => Some(Kind::Attachments),
            None if name == EXEMPTIONS => Some(Kind::Exemptions),
            None if stem(name, ".json") => Some(Kind::Document),
            Some((TABLES, table)) if stem(table, ".toml") => Some(Kind::Table),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        let named = |name: &str| {
            let texts = BTreeMap::from([(name.to_owned(), String::new())]);
            ScpFiles::named(texts).map(|files| {
                (
                    files.documents.len(),
                    files.tables.len(),
                    files.attachments.is_some(),
                )
            })
        };
        for (name, kind) in [
            ("quarantine.json", Some((1, 0, false))),
            ("decisions/quarantine.toml", Some((0, 1, false))),
            ("attachments.toml", Some((0, 0, true))),
            ("attachment.toml", None),
            ("decisions/quarantine.json", None),
            ("further/quarantine.json", None),
            (".json", None),
            ("", None),
        ] {
            assert_eq!(named(name).ok(), kind, "{name}");
        }
    }

    #[test]
    fn what_is_embedded_is_what_the_folder_has() {
        let folder = "../../scp";
        let read = ScpFiles::read(Path::new(folder)).unwrap();
        let embedded = ScpFiles::embedded();
        let texts = |files: &[NamedText]| files.iter().map(|(_, text)| text.clone()).collect();
        let all = |files: &ScpFiles| -> [std::collections::BTreeSet<String>; 2] {
            [texts(&files.documents), texts(&files.tables)]
        };
        assert_eq!(all(&read), all(&embedded));
        assert_eq!(read.documents.len(), read.tables.len());
        assert_eq!(read.texts(), embedded.texts());
        let named = ScpFiles::named(read.texts()).unwrap();
        assert_eq!(named.texts(), read.texts());
        assert!(
            embedded
                .documents
                .iter()
                .all(|(name, _)| name.starts_with(FOLDER))
        );
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = ScpFiles::read(Path::new("/nowhere/scp")).unwrap_err();
        assert!(
            error.to_string().starts_with("/nowhere/scp cannot be read"),
            "{error}"
        );
    }
}
