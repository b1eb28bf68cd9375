//! A folder with an app in it, and short ways to load from it. Never touches anything outside.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rewake_config::{ConfigErrors, Context, Loaded, Options, load_file, load_object, load_script};
use rewake_wire::AppSpec;
use serde_json::Value;

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) context: Context,
    pub(crate) options: Options,
}

impl Bench {
    /// A folder with `app.js`; the environment has PATH only.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().canonicalize().unwrap();
        let env = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]);
        let context = Context { user_home: Some(cwd.join("home")), cwd, env };
        // Node may be slow on a busy machine.
        let options = Options { js_timeout: Duration::from_secs(60), ..Options::default() };
        let bench = Self { folder, context, options };
        bench.write("app.js", "setInterval(() => {}, 1000)\n");
        bench
    }

    /// The same with a PATH of one folder of its own, holding these programs.
    pub(crate) fn with_programs(programs: &[&str]) -> Self {
        let mut bench = Self::new();
        for program in programs {
            bench.write_executable(&format!("bin/{program}"), "#!/bin/sh\nexit 1\n");
        }
        bench.context.env.insert("PATH".into(), bench.path("bin"));
        bench
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.context.cwd.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Copied by a program of its own: while this process has a file open for writing, a child that another thread
    /// forks has it open too, and executing the file fails (ETXTBSY).
    pub(crate) fn write_executable(&self, name: &str, content: impl AsRef<[u8]>) {
        let source = self.write("executable.tmp", content);
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("cp").arg("--").arg(source).arg(&path).status().unwrap().success());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn folder(&self, name: &str) {
        std::fs::create_dir_all(self.folder.path().join(name)).unwrap();
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> Result<Loaded, ConfigErrors> {
        self.write(name, content);
        load_file(Path::new(name), &self.context, &self.options)
    }

    pub(crate) fn object(&self, value: Value) -> Result<Loaded, ConfigErrors> {
        load_object(value, &self.context, &self.options)
    }

    /// The one app of an object that holds these keys beside `script: "app.js"`, without warnings.
    pub(crate) fn app(&self, keys: Value) -> AppSpec {
        let mut object = serde_json::json!({ "script": "app.js" });
        object.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let loaded = self.object(object).unwrap_or_else(|errors| panic!("{keys}: {errors}"));
        assert_eq!(loaded.warnings, Vec::<String>::new(), "{keys}");
        the_one(loaded)
    }

    pub(crate) fn script(&self, script: &str, args: &[&str]) -> Result<Loaded, ConfigErrors> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        load_script(script, &args, &self.context, &self.options)
    }

    pub(crate) fn started(&self, script: &str) -> AppSpec {
        the_one(self.script(script, &[]).unwrap_or_else(|errors| panic!("{script}: {errors}")))
    }
}

pub(crate) fn the_one(mut loaded: Loaded) -> AppSpec {
    assert_eq!(loaded.apps.len(), 1, "{loaded:?}");
    loaded.apps.remove(0)
}

/// The text of the problems, with the folder's path as `$D`.
pub(crate) fn refused(bench: &Bench, result: Result<Loaded, ConfigErrors>) -> String {
    let errors = result.expect_err("ought to be refused");
    assert!(!errors.problems.is_empty());
    errors.to_string().replace(bench.context.cwd.to_str().unwrap(), "$D")
}
