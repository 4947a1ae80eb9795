//! Reading answers, up to a limit.

use reqwest::Response;

use crate::HttpError;

/// The answer's body.
///
/// # Errors
/// [`HttpError::TooLarge`] as soon as it has more than `limit` bytes, [`HttpError::Exchange`] if
/// the server breaks off.
pub async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads the answer's body to its end without keeping it, so that the connection can be used
/// again; gives its length in bytes.
///
/// # Errors
/// As [`read`].
pub async fn drain(mut response: Response, limit: usize) -> Result<usize, HttpError> {
    let mut length = 0;
    while let Some(chunk) = response.chunk().await? {
        length += chunk.len();
        if length > limit {
            return Err(HttpError::TooLarge { limit });
        }
    }
    Ok(length)
}
