//! Where libclang and its headers are: `bindgen` reads RocksDB's C header with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// Folders that hold libraries on the systems that we know.
const USUAL: [&str; 8] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/homebrew/opt/llvm/lib",
    "/usr/local/opt/llvm/lib",
    "/Library/Developer/CommandLineTools/usr/lib",
];

/// Folders to look in.
#[derive(Debug)]
pub(super) struct Clang {
    libraries: Vec<PathBuf>,
}

impl Clang {
    pub(super) fn of_this_machine() -> Self {
        let mut libraries: Vec<PathBuf> = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from).into_iter().collect();
        if let Ok(folder) = process::output(Command::new("llvm-config").arg("--libdir")) {
            libraries.push(PathBuf::from(folder.trim()));
        }
        libraries.extend(versioned(Path::new("/usr/lib")));
        if let Ok(cache) = process::output(Command::new("ldconfig").arg("-p")) {
            libraries.extend(folders_in(&cache));
        }
        libraries.extend(USUAL.map(PathBuf::from));
        Self { libraries }
    }

    /// The library itself.
    pub(super) fn library(&self) -> Option<PathBuf> {
        self.libraries.iter().flat_map(|folder| entries(folder)).find(|path| path.file_name().is_some_and(is_libclang))
    }

    /// The folder with the compiler's own `stddef.h`.
    pub(super) fn headers(&self) -> Option<PathBuf> {
        let clangs = self.libraries.iter().map(|folder| folder.join("clang"));
        let versions = clangs.flat_map(|folder| entries(&folder));
        versions.map(|version| version.join("include")).find(|include| include.join("stddef.h").is_file())
    }
}

/// `/usr/lib/llvm-14/lib` and its like.
fn versioned(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let is_llvm = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvm"));
    entries(folder).filter(is_llvm).map(|path| path.join("lib"))
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn is_libclang(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    let rest = name.strip_prefix("libclang");
    rest.is_some_and(|rest| {
        let numbered = rest.strip_prefix('-').unwrap_or(rest);
        let ending = numbered.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        ending == "dylib" || ending == "so" || ending.starts_with("so.") || numbered.starts_with(".so")
    })
}

/// Folders of the lines of `ldconfig -p` that name libclang: `libclang-14.so.13 (..) => /lib/../libclang-14.so.13`.
fn folders_in(cache: &str) -> Vec<PathBuf> {
    let paths = cache.lines().filter(|line| line.contains("libclang")).filter_map(|line| line.split_once("=> "));
    paths.filter_map(|(_, path)| Path::new(path.trim()).parent().map(Path::to_path_buf)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_known_by_its_names_and_not_by_its_neighbours() {
        for name in ["libclang.so", "libclang.so.14", "libclang-14.so", "libclang-14.so.13", "libclang-14.so.14.0.6"] {
            assert!(is_libclang(name.as_ref()), "{name}");
        }
        assert!(is_libclang("libclang.dylib".as_ref()));
        for name in ["libclang-cpp.so.14", "libclangBasic.a", "libclc.so", "clang"] {
            assert!(!is_libclang(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn library_and_headers_are_looked_for_each_on_its_own() {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let lib = scratch.path().join("llvm-14/lib");
        std::fs::create_dir_all(lib.join("clang/14.0.6/include")).expect("folders are made");
        let clang = Clang { libraries: versioned(scratch.path()).collect() };
        assert_eq!((clang.library(), clang.headers()), (None, None));
        std::fs::write(lib.join("libclang-14.so.13"), "").expect("a file is made");
        assert_eq!((clang.library(), clang.headers()), (Some(lib.join("libclang-14.so.13")), None));
        let include = lib.join("clang/14.0.6/include");
        std::fs::write(include.join("stddef.h"), "").expect("a file is made");
        assert_eq!(clang.headers(), Some(include));
    }

    #[test]
    fn the_linkers_cache_names_folders() {
        let cache = "\tlibz.so.1 (libc6) => /lib/libz.so.1\n\tlibclang-14.so.13 (libc6) => /lib/x/libclang-14.so.13\n";
        assert_eq!(folders_in(cache), [PathBuf::from("/lib/x")]);
    }
}
