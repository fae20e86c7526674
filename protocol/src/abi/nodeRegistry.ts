export const nodeRegistryAbi = [
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
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
        "indexed": false,
        "internalType": "struct Capacity",
        "name": "capacity",
        "type": "tuple"
      }
    ],
    "name": "CapacityReleased",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
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
        "indexed": false,
        "internalType": "struct Capacity",
        "name": "capacity",
        "type": "tuple"
      }
    ],
    "name": "CapacityTaken",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "components": [
          {
            "internalType": "uint128",
            "name": "perGpuHour",
            "type": "uint128"
          },
          {
            "internalType": "uint128",
            "name": "perVCpuHour",
            "type": "uint128"
          }
        ],
        "indexed": false,
        "internalType": "struct Rates",
        "name": "floor",
        "type": "tuple"
      }
    ],
    "name": "FloorChanged",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "owner",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "bytes",
        "name": "operatorPublicKey",
        "type": "bytes"
      },
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "encryptionKey",
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
            "name": "gpuMemoryMiB",
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
            "internalType": "string",
            "name": "region",
            "type": "string"
          },
          {
            "components": [
              {
                "internalType": "uint128",
                "name": "perGpuHour",
                "type": "uint128"
              },
              {
                "internalType": "uint128",
                "name": "perVCpuHour",
                "type": "uint128"
              }
            ],
            "internalType": "struct Rates",
            "name": "posted",
            "type": "tuple"
          },
          {
            "internalType": "string[]",
            "name": "multiaddrs",
            "type": "string[]"
          }
        ],
        "indexed": false,
        "internalType": "struct Profile",
        "name": "profile",
        "type": "tuple"
      }
    ],
    "name": "NodeRegistered",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "enum NodeStatus",
        "name": "status",
        "type": "uint8"
      }
    ],
    "name": "NodeStatusChanged",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "owner",
        "type": "address"
      }
    ],
    "name": "OperatorRevoked",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
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
            "name": "encryptionKey",
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
            "name": "gpuMemoryMiB",
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
            "internalType": "string",
            "name": "region",
            "type": "string"
          },
          {
            "components": [
              {
                "internalType": "uint128",
                "name": "perGpuHour",
                "type": "uint128"
              },
              {
                "internalType": "uint128",
                "name": "perVCpuHour",
                "type": "uint128"
              }
            ],
            "internalType": "struct Rates",
            "name": "posted",
            "type": "tuple"
          },
          {
            "internalType": "string[]",
            "name": "multiaddrs",
            "type": "string[]"
          }
        ],
        "indexed": false,
        "internalType": "struct Profile",
        "name": "profile",
        "type": "tuple"
      },
      {
        "indexed": false,
        "internalType": "uint32",
        "name": "encryptionKeyVersion",
        "type": "uint32"
      }
    ],
    "name": "ProfileUpdated",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "owner",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "StakeAdded",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "StakeLocked",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "reward",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "address",
        "name": "reporter",
        "type": "address"
      }
    ],
    "name": "StakeSlashed",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "StakeUnlocked",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "UnbondingReleased",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "uint64",
        "name": "releasableAt",
        "type": "uint64"
      }
    ],
    "name": "UnbondingStarted",
    "type": "event"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "available",
    "outputs": [
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
        "name": "",
        "type": "tuple"
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
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "drain",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "getNode",
    "outputs": [
      {
        "components": [
          {
            "internalType": "address",
            "name": "owner",
            "type": "address"
          },
          {
            "internalType": "enum NodeStatus",
            "name": "status",
            "type": "uint8"
          },
          {
            "internalType": "uint64",
            "name": "activeSince",
            "type": "uint64"
          },
          {
            "internalType": "uint32",
            "name": "encryptionKeyVersion",
            "type": "uint32"
          },
          {
            "internalType": "bytes",
            "name": "operatorPublicKey",
            "type": "bytes"
          },
          {
            "components": [
              {
                "internalType": "bytes32",
                "name": "encryptionKey",
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
                "name": "gpuMemoryMiB",
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
                "internalType": "string",
                "name": "region",
                "type": "string"
              },
              {
                "components": [
                  {
                    "internalType": "uint128",
                    "name": "perGpuHour",
                    "type": "uint128"
                  },
                  {
                    "internalType": "uint128",
                    "name": "perVCpuHour",
                    "type": "uint128"
                  }
                ],
                "internalType": "struct Rates",
                "name": "posted",
                "type": "tuple"
              },
              {
                "internalType": "string[]",
                "name": "multiaddrs",
                "type": "string[]"
              }
            ],
            "internalType": "struct Profile",
            "name": "profile",
            "type": "tuple"
          },
          {
            "components": [
              {
                "internalType": "uint128",
                "name": "perGpuHour",
                "type": "uint128"
              },
              {
                "internalType": "uint128",
                "name": "perVCpuHour",
                "type": "uint128"
              }
            ],
            "internalType": "struct Rates",
            "name": "floor",
            "type": "tuple"
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
            "name": "used",
            "type": "tuple"
          }
        ],
        "internalType": "struct INodeRegistry.Node",
        "name": "",
        "type": "tuple"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "nodeCount",
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
        "internalType": "uint256",
        "name": "offset",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "limit",
        "type": "uint256"
      }
    ],
    "name": "nodesPaged",
    "outputs": [
      {
        "internalType": "address[]",
        "name": "nodes",
        "type": "address[]"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "operatorPublicKey",
    "outputs": [
      {
        "internalType": "bytes",
        "name": "",
        "type": "bytes"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "ownerOf",
    "outputs": [
      {
        "internalType": "address",
        "name": "",
        "type": "address"
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
            "name": "encryptionKey",
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
            "name": "gpuMemoryMiB",
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
            "internalType": "string",
            "name": "region",
            "type": "string"
          },
          {
            "components": [
              {
                "internalType": "uint128",
                "name": "perGpuHour",
                "type": "uint128"
              },
              {
                "internalType": "uint128",
                "name": "perVCpuHour",
                "type": "uint128"
              }
            ],
            "internalType": "struct Rates",
            "name": "posted",
            "type": "tuple"
          },
          {
            "internalType": "string[]",
            "name": "multiaddrs",
            "type": "string[]"
          }
        ],
        "internalType": "struct Profile",
        "name": "profile",
        "type": "tuple"
      },
      {
        "internalType": "bytes",
        "name": "operatorPublicKey",
        "type": "bytes"
      },
      {
        "internalType": "uint256",
        "name": "deadline",
        "type": "uint256"
      },
      {
        "internalType": "bytes",
        "name": "signature",
        "type": "bytes"
      }
    ],
    "name": "register",
    "outputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
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
      }
    ],
    "name": "releaseCapacity",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "releaseUnbonded",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "resume",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "revokeOperator",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "components": [
          {
            "internalType": "uint128",
            "name": "perGpuHour",
            "type": "uint128"
          },
          {
            "internalType": "uint128",
            "name": "perVCpuHour",
            "type": "uint128"
          }
        ],
        "internalType": "struct Rates",
        "name": "floor",
        "type": "tuple"
      }
    ],
    "name": "setFloor",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      },
      {
        "internalType": "bool",
        "name": "locked",
        "type": "bool"
      },
      {
        "internalType": "address",
        "name": "reporter",
        "type": "address"
      }
    ],
    "name": "slash",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "slashed",
        "type": "uint256"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "stake",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "stakeOf",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "staked",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "locked",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "unbonding",
        "type": "uint256"
      },
      {
        "internalType": "uint64",
        "name": "releasableAt",
        "type": "uint64"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "stakeRequired",
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
        "internalType": "address",
        "name": "node",
        "type": "address"
      }
    ],
    "name": "statusOf",
    "outputs": [
      {
        "internalType": "enum NodeStatus",
        "name": "",
        "type": "uint8"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
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
        "internalType": "uint256",
        "name": "lock",
        "type": "uint256"
      }
    ],
    "name": "takeLease",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "leaseId",
        "type": "bytes32"
      },
      {
        "internalType": "uint256",
        "name": "lock",
        "type": "uint256"
      }
    ],
    "name": "unlockStake",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "unstake",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "node",
        "type": "address"
      },
      {
        "components": [
          {
            "internalType": "bytes32",
            "name": "encryptionKey",
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
            "name": "gpuMemoryMiB",
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
            "internalType": "string",
            "name": "region",
            "type": "string"
          },
          {
            "components": [
              {
                "internalType": "uint128",
                "name": "perGpuHour",
                "type": "uint128"
              },
              {
                "internalType": "uint128",
                "name": "perVCpuHour",
                "type": "uint128"
              }
            ],
            "internalType": "struct Rates",
            "name": "posted",
            "type": "tuple"
          },
          {
            "internalType": "string[]",
            "name": "multiaddrs",
            "type": "string[]"
          }
        ],
        "internalType": "struct Profile",
        "name": "profile",
        "type": "tuple"
      }
    ],
    "name": "updateProfile",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  }
] as const;
