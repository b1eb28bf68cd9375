//! The tree is in order: the arrows between crates, and what every file and every manifest must have. Compiles nothing.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/file.rs"]
mod file;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("`cargo metadata` describes the workspace")
}

fn folder(package: &Package) -> &Path {
    package.manifest_path.parent().expect("a manifest stands in a folder").as_std_path()
}

/// All sources under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// A test, or code that only builds.
fn is_shipped(path: &Path) -> bool {
    let is_test =
        |part: &str| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs") || part == "build.rs";
    !path.iter().filter_map(|part| part.to_str()).any(is_test)
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn crates_use_only_what_is_below_them() {
    let metadata = metadata();
    let crates: Vec<arrows::Crate<'_>> = metadata
        .packages
        .iter()
        .map(|package| {
            let uses = package.dependencies.iter().filter(|used| {
                // Tests may use tools that the crate itself must not.
                used.kind != DependencyKind::Development || used.path.is_some()
            });
            arrows::Crate { name: package.name.as_str(), uses: uses.map(|used| used.name.as_str()).collect() }
        })
        .collect();
    none(&arrows::problems(&crates));
}

#[test]
fn every_source_says_what_it_is_and_keeps_to_its_crate() {
    let mut problems = Vec::new();
    let mut seen = 0;
    for package in &metadata().packages {
        let root = folder(package);
        for path in sources(root) {
            let text = fs::read_to_string(&path).expect("a source is text");
            let inside = path.strip_prefix(root).expect("it was found there");
            let found = file::problems(package.name.as_str(), &text, is_shipped(inside));
            problems.extend(found.iter().map(|problem| format!("{}/{}: {problem}", package.name, inside.display())));
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} sources were found");
    none(&problems);
}

#[test]
fn every_crate_has_the_lints_and_the_licence_of_the_workspace() {
    let mut problems = Vec::new();
    for package in &metadata().packages {
        let name = &package.name;
        let manifest = fs::read_to_string(&package.manifest_path).expect("the manifest can be read");
        if !manifest.contains("\n[lints]\nworkspace = true\n") {
            problems.push(format!("{name} does not take the lints of the workspace"));
        }
        if package.license.as_deref() != Some("MIT OR Apache-2.0") {
            problems.push(format!("{name} is not licensed MIT OR Apache-2.0"));
        }
        if package.rust_version.is_none() {
            problems.push(format!("{name} does not say which Rust it needs"));
        }
        if name.as_str() != "rust-tests" && folder(package).file_name().is_none_or(|last| last != name.as_str()) {
            problems.push(format!("{name} stands in {}", folder(package).display()));
        }
    }
    none(&problems);
}

#[test]
fn architecture_md_names_every_crate() {
    let metadata = metadata();
    let text = fs::read_to_string(metadata.workspace_root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let missing = metadata.packages.iter().filter(|package| !text.contains(&format!("`{}`", package.name)));
    none(&missing.map(|package| format!("ARCHITECTURE.md does not name `{}`", package.name)).collect::<Vec<_>>());
}
