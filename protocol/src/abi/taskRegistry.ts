export const taskRegistryAbi = [
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint32",
        "name": "attempt",
        "type": "uint32"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "step",
        "type": "uint64"
      },
      {
        "indexed": false,
        "internalType": "bytes32",
        "name": "digest",
        "type": "bytes32"
      }
    ],
    "name": "CheckpointClaimed",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "reporter",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "slashed",
        "type": "uint256"
      }
    ],
    "name": "EquivocationProven",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint32",
        "name": "attempt",
        "type": "uint32"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "startDeadline",
        "type": "uint64"
      }
    ],
    "name": "LeaseAssigned",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "billedSeconds",
        "type": "uint64"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "gross",
        "type": "uint256"
      }
    ],
    "name": "LeaseCancelled",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "taskId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "leaseId",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "attempt",
            "type": "uint32"
          },
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "outputDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "logDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "ciphertextRoot",
            "type": "bytes32"
          },
          {
            "internalType": "uint64",
            "name": "ciphertextSize",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "imageDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint8",
            "name": "outcome",
            "type": "uint8"
          },
          {
            "internalType": "int32",
            "name": "exitCode",
            "type": "int32"
          },
          {
            "internalType": "uint64",
            "name": "started",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "ended",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "cpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "gpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "retainUntil",
            "type": "uint64"
          }
        ],
        "indexed": false,
        "internalType": "struct OutputAttestation",
        "name": "attestation",
        "type": "tuple"
      },
      {
        "indexed": false,
        "internalType": "bytes",
        "name": "signature",
        "type": "bytes"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "billedSeconds",
        "type": "uint64"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "challengeEndsAt",
        "type": "uint64"
      }
    ],
    "name": "LeaseCompleted",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "enum LeaseStatus",
        "name": "from",
        "type": "uint8"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "billedSeconds",
        "type": "uint64"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "gross",
        "type": "uint256"
      }
    ],
    "name": "LeaseExpired",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "bytes32",
        "name": "reason",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "billedSeconds",
        "type": "uint64"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "gross",
        "type": "uint256"
      }
    ],
    "name": "LeaseFailed",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "billedSeconds",
        "type": "uint64"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "gross",
        "type": "uint256"
      }
    ],
    "name": "LeaseSettled",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint32",
        "name": "attempt",
        "type": "uint32"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "startedAt",
        "type": "uint64"
      }
    ],
    "name": "LeaseStarted",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "stoppedAt",
        "type": "uint64"
      }
    ],
    "name": "LeaseStopping",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "consumer",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "gpus",
            "type": "uint32"
          },
          {
            "internalType": "string",
            "name": "gpuModel",
            "type": "string"
          },
          {
            "internalType": "uint32",
            "name": "vCpus",
            "type": "uint32"
          },
          {
            "internalType": "uint64",
            "name": "memoryMiB",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "storageMiB",
            "type": "uint64"
          },
          {
            "internalType": "enum Isolation",
            "name": "isolation",
            "type": "uint8"
          },
          {
            "internalType": "uint32",
            "name": "maxDuration",
            "type": "uint32"
          },
          {
            "internalType": "uint128",
            "name": "ratePerHour",
            "type": "uint128"
          },
          {
            "internalType": "uint32",
            "name": "startWindow",
            "type": "uint32"
          },
          {
            "internalType": "uint64",
            "name": "openUntil",
            "type": "uint64"
          },
          {
            "internalType": "enum Verification",
            "name": "verification",
            "type": "uint8"
          }
        ],
        "indexed": false,
        "internalType": "struct Order",
        "name": "order",
        "type": "tuple"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "nonce",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "reserved",
        "type": "uint256"
      }
    ],
    "name": "TaskCreated",
    "type": "event"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      }
    ],
    "name": "acceptTask",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "admittedAt",
    "outputs": [
      {
        "internalType": "uint64",
        "name": "",
        "type": "uint64"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      }
    ],
    "name": "approve",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "taskId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "leaseId",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "attempt",
            "type": "uint32"
          },
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "outputDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "logDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "ciphertextRoot",
            "type": "bytes32"
          },
          {
            "internalType": "uint64",
            "name": "ciphertextSize",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "imageDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint8",
            "name": "outcome",
            "type": "uint8"
          },
          {
            "internalType": "int32",
            "name": "exitCode",
            "type": "int32"
          },
          {
            "internalType": "uint64",
            "name": "started",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "ended",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "cpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "gpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "retainUntil",
            "type": "uint64"
          }
        ],
        "internalType": "struct OutputAttestation",
        "name": "attestation",
        "type": "tuple"
      }
    ],
    "name": "attestationHash",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "typedDataHash",
        "type": "bytes32"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      }
    ],
    "name": "cancelTask",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "internalType": "uint32",
        "name": "attempt",
        "type": "uint32"
      },
      {
        "internalType": "uint64",
        "name": "step",
        "type": "uint64"
      },
      {
        "internalType": "bytes32",
        "name": "digest",
        "type": "bytes32"
      }
    ],
    "name": "checkpoint",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "taskId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "leaseId",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "attempt",
            "type": "uint32"
          },
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "outputDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "logDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "ciphertextRoot",
            "type": "bytes32"
          },
          {
            "internalType": "uint64",
            "name": "ciphertextSize",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "imageDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint8",
            "name": "outcome",
            "type": "uint8"
          },
          {
            "internalType": "int32",
            "name": "exitCode",
            "type": "int32"
          },
          {
            "internalType": "uint64",
            "name": "started",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "ended",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "cpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "gpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "retainUntil",
            "type": "uint64"
          }
        ],
        "internalType": "struct OutputAttestation",
        "name": "attestation",
        "type": "tuple"
      },
      {
        "internalType": "bytes",
        "name": "signature",
        "type": "bytes"
      }
    ],
    "name": "completeLease",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "gpus",
            "type": "uint32"
          },
          {
            "internalType": "string",
            "name": "gpuModel",
            "type": "string"
          },
          {
            "internalType": "uint32",
            "name": "vCpus",
            "type": "uint32"
          },
          {
            "internalType": "uint64",
            "name": "memoryMiB",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "storageMiB",
            "type": "uint64"
          },
          {
            "internalType": "enum Isolation",
            "name": "isolation",
            "type": "uint8"
          },
          {
            "internalType": "uint32",
            "name": "maxDuration",
            "type": "uint32"
          },
          {
            "internalType": "uint128",
            "name": "ratePerHour",
            "type": "uint128"
          },
          {
            "internalType": "uint32",
            "name": "startWindow",
            "type": "uint32"
          },
          {
            "internalType": "uint64",
            "name": "openUntil",
            "type": "uint64"
          },
          {
            "internalType": "enum Verification",
            "name": "verification",
            "type": "uint8"
          }
        ],
        "internalType": "struct Order",
        "name": "order",
        "type": "tuple"
      }
    ],
    "name": "createTask",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "deploymentBlock",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "domainSeparator",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "",
        "type": "bytes32"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      }
    ],
    "name": "expire",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "internalType": "uint32",
        "name": "attempt",
        "type": "uint32"
      },
      {
        "internalType": "bytes32",
        "name": "reason",
        "type": "bytes32"
      }
    ],
    "name": "failLease",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      }
    ],
    "name": "getLease",
    "outputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "taskId",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "index",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "attempt",
            "type": "uint32"
          },
          {
            "internalType": "enum LeaseStatus",
            "name": "status",
            "type": "uint8"
          },
          {
            "internalType": "address",
            "name": "node",
            "type": "address"
          },
          {
            "internalType": "uint64",
            "name": "acceptedAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "startDeadline",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "startedAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "lastClaimAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "lastStep",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "checkpointDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint64",
            "name": "stoppedAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "endedAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "challengeEndsAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "billedSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint128",
            "name": "reserved",
            "type": "uint128"
          },
          {
            "internalType": "uint128",
            "name": "lock",
            "type": "uint128"
          },
          {
            "internalType": "bytes32",
            "name": "attestationDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "outputDigest",
            "type": "bytes32"
          }
        ],
        "internalType": "struct Lease",
        "name": "",
        "type": "tuple"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      }
    ],
    "name": "getTask",
    "outputs": [
      {
        "components": [
          {
            "internalType": "address",
            "name": "consumer",
            "type": "address"
          },
          {
            "internalType": "uint64",
            "name": "createdAt",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "openUntil",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "orderHash",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "seed",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "maxDuration",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "startWindow",
            "type": "uint32"
          },
          {
            "internalType": "uint128",
            "name": "ratePerHour",
            "type": "uint128"
          },
          {
            "components": [
              {
                "internalType": "uint32",
                "name": "gpus",
                "type": "uint32"
              },
              {
                "internalType": "uint32",
                "name": "vCpus",
                "type": "uint32"
              },
              {
                "internalType": "uint64",
                "name": "memoryMiB",
                "type": "uint64"
              }
            ],
            "internalType": "struct Capacity",
            "name": "capacity",
            "type": "tuple"
          },
          {
            "internalType": "uint64",
            "name": "storageMiB",
            "type": "uint64"
          },
          {
            "internalType": "enum Isolation",
            "name": "isolation",
            "type": "uint8"
          },
          {
            "internalType": "bytes32",
            "name": "gpuModelHash",
            "type": "bytes32"
          },
          {
            "internalType": "enum Verification",
            "name": "verification",
            "type": "uint8"
          },
          {
            "internalType": "uint8",
            "name": "leaseCount",
            "type": "uint8"
          },
          {
            "components": [
              {
                "internalType": "uint32",
                "name": "challengeWindow",
                "type": "uint32"
              },
              {
                "internalType": "uint32",
                "name": "completionGrace",
                "type": "uint32"
              },
              {
                "internalType": "uint32",
                "name": "outageGrace",
                "type": "uint32"
              },
              {
                "internalType": "uint32",
                "name": "drift",
                "type": "uint32"
              },
              {
                "internalType": "uint32",
                "name": "minBilled",
                "type": "uint32"
              },
              {
                "internalType": "uint32",
                "name": "minCheckpointInterval",
                "type": "uint32"
              },
              {
                "internalType": "uint16",
                "name": "feeBps",
                "type": "uint16"
              },
              {
                "internalType": "uint16",
                "name": "lockBps",
                "type": "uint16"
              },
              {
                "internalType": "uint128",
                "name": "minLock",
                "type": "uint128"
              }
            ],
            "internalType": "struct Terms",
            "name": "terms",
            "type": "tuple"
          }
        ],
        "internalType": "struct Task",
        "name": "",
        "type": "tuple"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "uint64",
        "name": "timestamp",
        "type": "uint64"
      }
    ],
    "name": "isAdmitted",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "taskId",
        "type": "bytes32"
      },
      {
        "internalType": "uint32",
        "name": "index",
        "type": "uint32"
      }
    ],
    "name": "leaseIdOf",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "",
        "type": "bytes32"
      }
    ],
    "stateMutability": "pure",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "consumer",
        "type": "address"
      }
    ],
    "name": "nonces",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "taskId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "leaseId",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "attempt",
            "type": "uint32"
          },
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "outputDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "logDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "ciphertextRoot",
            "type": "bytes32"
          },
          {
            "internalType": "uint64",
            "name": "ciphertextSize",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "imageDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint8",
            "name": "outcome",
            "type": "uint8"
          },
          {
            "internalType": "int32",
            "name": "exitCode",
            "type": "int32"
          },
          {
            "internalType": "uint64",
            "name": "started",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "ended",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "cpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "gpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "retainUntil",
            "type": "uint64"
          }
        ],
        "internalType": "struct OutputAttestation",
        "name": "first",
        "type": "tuple"
      },
      {
        "internalType": "bytes",
        "name": "firstSignature",
        "type": "bytes"
      },
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "taskId",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "leaseId",
            "type": "bytes32"
          },
          {
            "internalType": "uint32",
            "name": "attempt",
            "type": "uint32"
          },
          {
            "internalType": "bytes32",
            "name": "specDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "outputDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "logDigest",
            "type": "bytes32"
          },
          {
            "internalType": "bytes32",
            "name": "ciphertextRoot",
            "type": "bytes32"
          },
          {
            "internalType": "uint64",
            "name": "ciphertextSize",
            "type": "uint64"
          },
          {
            "internalType": "bytes32",
            "name": "imageDigest",
            "type": "bytes32"
          },
          {
            "internalType": "uint8",
            "name": "outcome",
            "type": "uint8"
          },
          {
            "internalType": "int32",
            "name": "exitCode",
            "type": "int32"
          },
          {
            "internalType": "uint64",
            "name": "started",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "ended",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "cpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "gpuSeconds",
            "type": "uint64"
          },
          {
            "internalType": "uint64",
            "name": "retainUntil",
            "type": "uint64"
          }
        ],
        "internalType": "struct OutputAttestation",
        "name": "second",
        "type": "tuple"
      },
      {
        "internalType": "bytes",
        "name": "secondSignature",
        "type": "bytes"
      }
    ],
    "name": "proveEquivocation",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      }
    ],
    "name": "settle",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "internalType": "uint32",
        "name": "attempt",
        "type": "uint32"
      }
    ],
    "name": "startLease",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "consumer",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "nonce",
        "type": "uint256"
      },
      {
        "internalType": "bytes32",
        "name": "orderHash",
        "type": "bytes32"
      }
    ],
    "name": "taskIdOf",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "",
        "type": "bytes32"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "terms",
    "outputs": [
      {
        "components": [
          {
            "internalType": "uint32",
            "name": "challengeWindow",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "completionGrace",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "outageGrace",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "drift",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "minBilled",
            "type": "uint32"
          },
          {
            "internalType": "uint32",
            "name": "minCheckpointInterval",
            "type": "uint32"
          },
          {
            "internalType": "uint16",
            "name": "feeBps",
            "type": "uint16"
          },
          {
            "internalType": "uint16",
            "name": "lockBps",
            "type": "uint16"
          },
          {
            "internalType": "uint128",
            "name": "minLock",
            "type": "uint128"
          }
        ],
        "internalType": "struct Terms",
        "name": "",
        "type": "tuple"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  }
] as const;
