//! The description of the routes, for programs in other languages.

/// In `OpenAPI` 3.1.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::server::routes;

    #[test]
    fn the_document_describes_every_route_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let table = routes::table();
        assert_eq!(described, table.iter().map(|(path, _)| *path).collect());
    }

    #[test]
    fn the_path_of_each_route_names_the_parameters_that_the_document_does() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            let named: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = item["get"]["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let resolved = parameters.iter().map(|parameter| match parameter["$ref"].as_str() {
                Some(pointer) => document.pointer(pointer.trim_start_matches('#')).unwrap(),
                None => parameter,
            });
            let described: BTreeSet<&str> =
                resolved.filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
            assert_eq!(named, described, "{path}");
        }
    }
}
