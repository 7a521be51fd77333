//! How each kind of pre-image comes into the oracle.

use alloy_primitives::{Address, B256, keccak256};
use carronade_dispute::game::LocalIdent;
use carronade_dispute::upload::large::LargePreimage;
use carronade_dispute::upload::{
    MIN_LARGE_PREIMAGE, OracleData, PreimageSource, Upload, UploadError, upload,
};

/// One pre-image under its keccak256 key, and one blob.
struct Store {
    preimage: Vec<u8>,
    blob: Option<B256>,
}

impl PreimageSource for Store {
    fn preimage(&mut self, key: B256) -> Result<Vec<u8>, String> {
        let known = with_kind(2, keccak256(&self.preimage));
        (key == known)
            .then(|| self.preimage.clone())
            .ok_or("not here".into())
    }

    fn prove_blob(&mut self, commitment: &[u8], z: B256) -> Result<(B256, Vec<u8>), String> {
        assert_eq!((commitment.len(), z), (48, B256::repeat_byte(7)));
        self.blob.map(|y| (y, vec![9; 48])).ok_or("no blob".into())
    }
}

fn with_kind(kind: u8, mut key: B256) -> B256 {
    key[0] = kind;
    key
}

fn store(preimage: &[u8]) -> Store {
    Store {
        preimage: preimage.to_vec(),
        blob: None,
    }
}

fn read(key: B256, preimage: &[u8]) -> OracleData {
    let length = (preimage.len() as u64).to_be_bytes();
    OracleData {
        key,
        value: [&length[..], preimage].concat(),
        offset: 16,
    }
}

fn how(data: &OracleData, store: &mut Store) -> Result<Upload, UploadError> {
    upload(data, store, MIN_LARGE_PREIMAGE)
}

#[test]
fn local_data_comes_from_the_game() {
    for (number, ident) in [(1, LocalIdent::L1Head), (5, LocalIdent::ChainId)] {
        let mut key = with_kind(1, B256::ZERO);
        key[31] = number;
        let expected = Upload::Local {
            ident,
            part_offset: 16,
        };
        assert_eq!(how(&read(key, &[0; 32]), &mut store(&[])), Ok(expected));
    }
    for wrong in [0, 6] {
        let mut key = with_kind(1, B256::ZERO);
        key[31] = wrong;
        let refused = how(&read(key, &[0; 32]), &mut store(&[]));
        assert_eq!(refused, Err(UploadError::Kind(key)));
    }
    let mut key = with_kind(1, B256::ZERO);
    (key[8], key[31]) = (1, 1);
    let refused = how(&read(key, &[0; 32]), &mut store(&[]));
    assert_eq!(refused, Err(UploadError::Kind(key)));
}

#[test]
fn hashes() {
    let preimage = vec![5; MIN_LARGE_PREIMAGE - 1];
    let keccak = how(&read(with_kind(2, B256::ZERO), &preimage), &mut store(&[]));
    let part_offset = 16;
    assert_eq!(
        keccak,
        Ok(Upload::Keccak256 {
            part_offset,
            preimage
        })
    );
    // From here on in parts; but sha256 never is.
    let preimage = vec![5; MIN_LARGE_PREIMAGE];
    let large = how(&read(with_kind(2, B256::ZERO), &preimage), &mut store(&[]));
    let expected = LargePreimage {
        part_offset,
        preimage: preimage.clone(),
    };
    assert_eq!(large, Ok(Upload::Large(expected)));
    let sha256 = how(&read(with_kind(4, B256::ZERO), &preimage), &mut store(&[]));
    assert_eq!(
        sha256,
        Ok(Upload::Sha256 {
            part_offset,
            preimage
        })
    );
}

#[test]
fn blobs() {
    let inputs = [&[3u8; 48][..], &[7; 32]].concat();
    let key = with_kind(5, keccak256(&inputs));
    let y = B256::repeat_byte(8);
    let data = read(key, y.as_slice());
    let mut host = store(&inputs);
    assert_eq!(
        how(&data, &mut host),
        Err(UploadError::Source("no blob".into()))
    );
    host.blob = Some(y);
    let expected = Upload::Blob {
        part_offset: 16,
        z: B256::repeat_byte(7),
        y,
        commitment: vec![3; 48],
        proof: vec![9; 48],
    };
    assert_eq!(how(&data, &mut host), Ok(expected));
    host.blob = Some(B256::ZERO);
    assert_eq!(how(&data, &mut host), Err(UploadError::Blob(key)));
    let refused = how(&data, &mut store(&[1]));
    assert_eq!(refused, Err(UploadError::Source("not here".into())));
    let short = with_kind(5, keccak256([1; 79]));
    let refused = how(&read(short, y.as_slice()), &mut store(&[1; 79]));
    let expected = UploadError::Inputs {
        key: short,
        bytes: 79,
    };
    assert_eq!(refused, Err(expected));
}

#[test]
fn precompiles() {
    let address = Address::with_last_byte(8);
    let inputs = [address.as_slice(), &113_000u64.to_be_bytes(), &[1, 2, 3]].concat();
    let key = with_kind(6, keccak256(&inputs));
    let expected = Upload::Precompile {
        part_offset: 16,
        address,
        required_gas: 113_000,
        input: vec![1, 2, 3],
    };
    assert_eq!(how(&read(key, &[1, 0]), &mut store(&inputs)), Ok(expected));
}

#[test]
fn what_is_no_preimage() {
    for kind in [0, 3, 7, 255] {
        let key = with_kind(kind, B256::ZERO);
        let refused = how(&read(key, &[1]), &mut store(&[]));
        assert_eq!(refused, Err(UploadError::Kind(key)));
    }
    let key = with_kind(2, B256::ZERO);
    let data = OracleData {
        key,
        value: vec![0; 7],
        offset: 0,
    };
    assert_eq!(how(&data, &mut store(&[])), Err(UploadError::NoLength(key)));
}
